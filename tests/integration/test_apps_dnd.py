# SPDX-License-Identifier: Apache-2.0
"""Text is dragged from one application to another as users do it, between toolkits and inside one VM."""
import subprocess

import desktop
from apps import COLOR, AppCase, app, changed_box, needs, write
from protocol_client import vm_env

CONTROL = 4
A, C, S = 30, 46, 31


class Editor:
    """A window with text that can be selected, dragged and dropped upon; of its file, if it has one."""

    def __init__(self, case, d, name, path=None, vm='work'):
        self.case, self.d, self.path, self.vm = case, d, path, vm
        self.window = case.start(d, name, vm)
        d.until('it is drawn', lambda: len(d.screenshot().colors(self.window.box)) > 8)
        case.settled(d)
        self.text_at = self.select_all()

    def focus(self):
        d = self.d
        if not d.window(self.window.id).focused:  # two clicks would maximise it
            d.input.click(self.window.x + 150, self.window.y - 14)
        d.until('it has the keyboard', lambda: d.window(self.window.id).focused)

    def select_all(self):
        """Returns a place on the text, at its left end: the first line that looks different."""
        self.focus()
        x, y, _, height = self.window.box
        before = self.case.settled(self.d)
        self.d.input.chord(CONTROL, A)
        # To the left: what is selected is counted on the right of some status bar.
        box = self.d.until('it is selected', lambda: changed_box(
            before, self.d.screenshot(), (x + 2, y, 60, height)))
        return box[0] + 16, box[1] + 9

    def replace(self, text):
        self.focus()
        self.d.input.chord(CONTROL, A)
        self.d.input.type(text)

    def contains(self, text):
        """Whether it does by now; as the editor itself would save or copy it."""
        self.focus()
        if self.path is not None:
            self.d.input.chord(CONTROL, S)
            with open(self.path) as file:
                return text in file.read()
        self.d.input.chord(CONTROL, A)
        self.d.input.chord(CONTROL, C)
        pasted = subprocess.run(['wl-paste', '-n'], env=vm_env(self.d, self.vm), capture_output=True)
        return text in pasted.stdout.decode()

    def hold(self):
        """Presses the button on the text, all of it selected, and drags it a little."""
        x, y = self.text_at
        self.focus()
        self.d.input.chord(CONTROL, A)
        self.case.settled(self.d)
        self.d.input.move(x, y)
        self.d.input.line('button 272 1')
        for i in range(1, 6):
            self.d.input.move(x + 4 * i, y + 4 * i)
        # Beside the pointer is what is dragged, in a frame.
        self.case.until_color(self.d, (x + 24, y + 24, 24, 24), COLOR, 16)

    def drop(self):
        """Lets go of what is held in the middle of the window."""
        x, y, width, height = self.window.box
        for i in range(4):
            self.d.input.move(x + width // 2 + 2 * i, y + height // 2)
        self.case.settled(self.d)
        self.d.input.line('button 272 0')


@needs('mousepad', 'featherpad', 'gtk4-demo', 'wl-paste')
class Drags(AppCase):
    def editors(self, d, *vms):
        for i, vm in enumerate(vms):
            yield Editor(self, d, f'App {i + 1}' if i > 0 else 'App', self.paths[i], vm)

    def applications(self, directory):
        self.paths = [write(f'{directory}/{name}.txt', 'WWWWWWWWWW\n') for name in ('gtk3', 'qt6')] + [None]
        return ['mousepad', self.paths[0]], ['featherpad', self.paths[1]], ['env', 'GSK_RENDERER=cairo', 'gtk4-demo', '--run=textundo']

    def prepare(self, d, vms):
        for entry, command in zip(d.options[vms[0]]['applications'], self.applications(d.dir)):
            entry['exec'] = command
        d.write_vmset()
        d.ctl('reload')
        return list(self.editors(d, *vms))

    def drag(self, source, target, text):
        source.replace(text)
        source.hold()
        target.drop()
        target.d.until(f'{text} was dropped', lambda: target.contains(text))

    def test_text_is_dragged_between_gtk_3_qt_6_and_gtk_4(self):
        with self.desktop(app('true'), app('true'), app('true'), size=(1600, 1000)) as d:
            gtk3, qt6, gtk4 = self.prepare(d, ['work'] * 3)
            for i, (source, target) in enumerate((
                    (gtk3, qt6), (qt6, gtk3), (gtk3, gtk4), (gtk4, gtk3), (gtk4, qt6), (qt6, gtk4))):
                with self.subTest(i):
                    self.drag(source, target, f'Dragged text {i}')


if __name__ == '__main__':
    desktop.main()

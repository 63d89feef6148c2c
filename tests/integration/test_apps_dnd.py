# SPDX-License-Identifier: Apache-2.0
"""Text is dragged from one application to another as users do it, between toolkits and inside one VM."""
import itertools
import subprocess

import desktop
from apps import COLOR, AppCase, app, changed_box, needs, write
from protocol_client import vm_env

CONTROL = 4
A, C, S, RIGHT = 30, 46, 31, 106


class Editor:
    """A window with text that can be selected, dragged and dropped upon; of its file, if it has one."""

    def __init__(self, case, d, name, path):
        self.case, self.d, self.path = case, d, path
        self.window = case.start(d, name)
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

    def unselect(self):
        """GTK 3 takes no drop next to its selection."""
        self.focus()
        self.d.input.chord(0, RIGHT)

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
        pasted = subprocess.run(['wl-paste', '-n'], env=vm_env(self.d, 'work'), capture_output=True)
        return text in pasted.stdout.decode()

    def hold(self):
        """Presses the button on the text, all of it selected, and drags it a little."""
        x, y = self.text_at
        self.focus()
        self.d.input.chord(CONTROL, A)
        self.case.settled(self.d)
        self.d.input.move(x, y)
        self.d.input.line('button 272 1')
        # As a hand does it: on and on. Toolkits pass over what comes at once with the press.
        steps = itertools.cycle(range(16, 32, 2))

        def held():
            """Beside the pointer is what is dragged, in a frame."""
            step = next(steps)
            self.d.input.move(x + step, y + step)
            box = x + step + 4, y + step + 4, 24, 24
            return self.case.count(self.d.screenshot(), box, COLOR) > 16
        self.d.until('it is dragged', held)

    def drop(self):
        """Lets go of what is held in the middle of the window."""
        x, y, width, height = self.window.box
        for i in range(2):
            self.d.input.move(x + width // 2 + 2 * i, y + height // 2)
            self.case.settled(self.d)
        self.d.input.line('button 272 0')


@needs('mousepad', 'featherpad', 'gtk4-demo', 'wl-paste')
class Drags(AppCase):
    def drag(self, source, target, text):
        target.unselect()
        source.replace(text)
        source.hold()
        target.drop()
        target.d.until(f'{text} was dropped', lambda: target.contains(text))

    def test_text_is_dragged_from_gtk_3_to_qt_6_to_gtk_4_and_back(self):
        applications = [app('mousepad'), app('featherpad'), app('gtk4-demo')]
        with self.desktop(*applications, size=(1600, 1000)) as d:
            paths = [write(f'{d.dir}/{name}.txt', 'WWWWWWWWWW\n') for name in ('gtk3', 'qt6')] + [None]
            commands = (['mousepad', paths[0]], ['featherpad', paths[1]],
                        ['env', 'GSK_RENDERER=cairo', 'gtk4-demo', '--run=textundo'])
            for entry, command in zip(applications, commands):
                entry['exec'] = command
            d.write_vmset()
            d.ctl('reload')
            gtk3, qt6, gtk4 = [Editor(self, d, name, path) for name, path in zip(
                ('App', 'App 2', 'App 3'), paths)]
            for source, target in ((gtk3, qt6), (qt6, gtk4), (gtk4, gtk3)):
                self.drag(source, target, f'of {source.window.app_id}')


if __name__ == '__main__':
    desktop.main()

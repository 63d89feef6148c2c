# SPDX-License-Identifier: Apache-2.0
"""Text goes from one VM to another by the user's two keys, as far as the VM set lets it, and in no other way."""
import os

import desktop
from apps import TITLE, AppCase, app, needs
from desktop import VMS

C, V = 46, 47
SUPER = 64


def read(path):
    with open(path, 'rb') as file:
        return file.read()


@needs('foot', 'wl-copy')
class ClipboardOfVms(AppCase):
    def vms(self, policy, **lists):
        """Desktop arguments: one terminal each; lists: the VMs' clipboard fields."""
        options = {vm: {'applications': [app('foot')], 'clipboard': lists.get(vm, {})} for vm in VMS}
        return desktop.Desktop(vms=VMS, options=options, guivm={'clipboard': policy}, size=(1920, 1080))

    def focus(self, d, window):
        if not d.window(window.id).focused:
            d.input.click(window.x + window.width // 2, window.y + window.height // 2)
        d.until('it has the keyboard', lambda: [w.id for w in d.windows() if w.focused] == [window.id])

    def command(self, d, window, text):
        """Runs a command in a terminal, of which it has the keyboard again afterwards."""
        self.focus(d, window)
        done = f'{d.dir}/done'
        d.input.type(f'{text}; echo $? >{done}')
        d.input.enter()
        d.until(text, lambda: os.path.exists(done) and read(done))
        os.unlink(done)
        self.focus(d, window)

    def copy(self, d, window, text):
        self.command(d, window, f"printf '{text}' | wl-copy")

    def paste(self, d, window):
        self.command(d, window, f'wl-paste -n >{d.dir}/out 2>/dev/null')
        return read(f'{d.dir}/out').decode()

    def title(self, d, window):
        box = window.x, window.y - TITLE, window.width, TITLE
        return d.screenshot().colors(box)

    def press(self, d, window, key):
        """Presses Super and a key in a window and waits until its title bar says what came of it."""
        self.focus(d, window)
        before = self.title(d, window)
        d.input.chord(SUPER, key)
        d.until('the title bar says something', lambda: self.title(d, window) != before)

    def take(self, d, window, size):
        self.focus(d, window)
        d.input.chord(SUPER, C)
        taken = f'{size} bytes of VM "{window.vm}" were taken'
        d.until(taken, lambda: taken in d.log_text())

    def given(self, d):
        return d.log_text().count('were given to VM')

    def start_all(self, d):
        return [self.start(d, vm=vm) for vm in VMS]

    def test_an_allowed_text_is_given_once_and_only_where_the_user_says(self):
        with self.vms('allow', work={'write_to': ['personal']}) as d:
            work, personal, untrusted = self.start_all(d)
            self.copy(d, work, 'of work')
            self.take(d, work, 7)
            self.assertEqual(self.paste(d, personal), '')  # not by itself
            self.press(d, untrusted, V)  # work does not write there
            self.assertEqual(self.paste(d, untrusted), '')
            self.press(d, personal, V)
            self.assertEqual(self.given(d), 1)
            self.assertEqual(self.paste(d, personal), 'of work')
            # That was it: another key gives nothing, not even to the same VM.
            self.copy(d, personal, 'of personal')
            self.press(d, personal, V)
            self.assertEqual(self.given(d), 1)
            self.assertEqual(self.paste(d, personal), 'of personal')
            self.assertEqual(self.paste(d, work), 'of work')

    def test_where_the_set_asks_the_title_bar_does_and_the_second_key_answers(self):
        with self.vms('ask', personal={'read_from': ['work']}) as d:
            work, personal, untrusted = self.start_all(d)
            self.copy(d, work, 'of work')
            self.take(d, work, 7)
            self.press(d, personal, V)
            self.assertEqual(self.given(d), 0)
            self.assertEqual(self.paste(d, personal), '')
            # A question in one window is not answered in another.
            self.press(d, untrusted, V)
            self.press(d, personal, V)
            self.assertEqual(self.given(d), 0)
            self.press(d, personal, V)
            self.assertEqual(self.given(d), 1)
            self.assertEqual(self.paste(d, personal), 'of work')

    def test_nothing_goes_where_the_set_denies_it(self):
        lists = {'work': {'write_to': ['personal', 'untrusted']}}
        with self.vms('deny', **lists) as d:
            work, personal, _ = self.start_all(d)
            self.copy(d, work, 'of work')
            self.press(d, work, C)
            self.press(d, personal, V)
            self.assertEqual(self.paste(d, personal), '')
            self.assertNotIn('were taken', d.log_text())

    def test_only_text_of_a_limited_size_without_control_sequences_is_taken(self):
        with self.vms('allow', work={'write_to': ['personal']}) as d:
            work, personal, _ = self.start_all(d)
            self.command(d, work, 'head -c 1048577 /dev/zero | tr "\\000" x | wl-copy')
            self.press(d, work, C)
            self.command(d, work, 'printf x | wl-copy -t image/png')
            self.press(d, work, C)
            self.assertNotIn('were taken', d.log_text())
            self.copy(d, work, 'a\\033[31mb\\r\\n')
            self.take(d, work, 7)
            self.press(d, personal, V)
            self.assertEqual(self.paste(d, personal), 'a[31mb\n')
            self.command(d, work, 'head -c 1048576 /dev/zero | tr "\\000" y | wl-copy')
            self.take(d, work, 1048576)
            self.press(d, personal, V)
            self.assertEqual(self.paste(d, personal), 'y' * 1048576)


if __name__ == '__main__':
    desktop.main()

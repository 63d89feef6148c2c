# SPDX-License-Identifier: Apache-2.0
"""Copy and paste as users do it: text and pictures, short and large, inside one VM and never across VMs."""
import os
import random

import desktop
from apps import AppCase, app, needs
from desktop import VMS

LARGE_BYTES = 50 << 20


def read(path):
    with open(path, 'rb') as file:
        return file.read()


@needs('foot', 'wl-copy')
class Clipboard(AppCase):
    def command(self, d, text):
        """Types a command into the focused terminal and waits for its end."""
        done = f'{d.dir}/done'
        d.input.type(f'{text}; echo $? >{done}')
        d.input.enter()
        d.until(text, lambda: os.path.exists(done) and read(done))
        status = int(read(done))
        os.unlink(done)
        return status

    def focus(self, d, window):
        """The compositor puts windows beside each other: the outer end of a title bar is free."""
        x = window.x + (80 if window.x < 300 else window.width - 150)
        if not d.window(window.id).focused:  # two clicks would maximise it
            d.input.click(x, window.y - 14)
        # wl-copy and wl-paste show a window of their own for a moment.
        d.until('it has the keyboard', lambda: [w.id for w in d.windows() if w.focused] == [window.id])

    def terminals(self, d, *vms):
        return [self.start(d, vm=vm) for vm in vms]

    def test_text_goes_both_ways_between_two_applications_of_a_vm(self):
        with self.desktop(app('foot')) as d:
            windows = self.terminals(d, 'work', 'work')
            for source, target in (windows, reversed(windows)):
                text = f'text of window {source.id}'
                self.focus(d, source)
                self.assertEqual(self.command(d, f"wl-copy '{text}'"), 0)
                self.focus(d, target)
                self.assertEqual(self.command(d, f'wl-paste >{d.dir}/out'), 0)
                self.assertEqual(read(f'{d.dir}/out').decode(), text + '\n')

    def large(self, content, mime_type):
        """Both ways: what content(window) makes arrives as it is."""
        with self.desktop(app('foot')) as d:
            windows = self.terminals(d, 'work', 'work')
            for source, target in (windows, reversed(windows)):
                expected = content(source)
                with open(f'{d.dir}/in', 'wb') as file:
                    file.write(expected)
                self.focus(d, source)
                self.assertEqual(self.command(d, f'wl-copy -t {mime_type} <{d.dir}/in'), 0)
                self.focus(d, target)
                self.assertEqual(self.command(d, f'wl-paste -n -t {mime_type} >{d.dir}/out'), 0)
                self.assertTrue(read(f'{d.dir}/out') == expected, 'not what was copied')

    def test_an_image_of_50_mb_goes_both_ways(self):
        self.large(lambda window: random.Random(window.id).randbytes(LARGE_BYTES), 'image/png')

    def test_a_text_of_50_mb_goes_both_ways(self):
        line = 'Zeile %d, größer als ASCII: €\n'
        self.large(lambda window: (line % window.id).encode() * (LARGE_BYTES // len(line)), 'text/plain')

    def test_nothing_goes_to_another_vm(self):
        with self.desktop(app('foot'), vms=VMS) as d:
            work, untrusted = self.terminals(d, 'work', 'untrusted')
            for source, target in ((work, untrusted), (untrusted, work)):
                self.focus(d, source)
                self.assertEqual(self.command(d, f"wl-copy 'of {source.vm}'"), 0)
                self.assertEqual(self.command(d, f"wl-copy -p 'of {source.vm}'"), 0)
                self.focus(d, target)
                for option in ('', '-p'):
                    self.command(d, f'wl-paste {option} >{d.dir}/out 2>{d.dir}/error')
                    self.assertNotIn(source.vm.encode(), read(f'{d.dir}/out'))
                self.focus(d, source)
                self.assertEqual(self.command(d, f'wl-paste >{d.dir}/out'), 0)
                self.assertEqual(read(f'{d.dir}/out').decode(), f'of {source.vm}\n')

    @needs('mousepad')
    def test_gtk_pastes_what_a_terminal_copied(self):
        with self.desktop(app('foot'), app('mousepad')) as d:
            editor = self.start(d, 'App 2')
            terminal = self.start(d)
            self.focus(d, terminal)
            self.assertEqual(self.command(d, "wl-copy 'WWWWWWWWWWWWWWWWWWWWWWWW'"), 0)
            self.focus(d, editor)
            before = self.settled(d)
            d.input.chord(4, 47)  # control + v
            self.until_changed(d, before, 1000)
            # And back: all of it, copied by the editor.
            d.input.chord(4, 30)
            d.input.chord(4, 46)
            self.focus(d, terminal)
            self.assertEqual(self.command(d, f'wl-paste >{d.dir}/out'), 0)
            self.assertIn(b'WWWWWWWWWWWWWWWWWWWWWWWW', read(f'{d.dir}/out'))


if __name__ == '__main__':
    desktop.main()

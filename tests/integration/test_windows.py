# SPDX-License-Identifier: Apache-2.0
"""Windows of three VMs: their frames, their content, their input."""
import os
import unittest

import desktop
from desktop import VMS, Case, Desktop, rgb

BACKGROUND = rgb('#1d2128')


def reader(path):
    """A terminal that writes the first line typed into it to path, then ends."""
    return {'name': 'Reader', 'exec': ['foot', '-W', '40x8', '-e', 'sh', '-c', f'read line; echo "$line" > {path}']}


class Windows(Case):
    def test_each_vm_has_its_colour_around_its_own_content(self):
        with Desktop() as d:
            d.start_proxies()
            windows = {vm: d.launch(vm, 'Flower') for vm in VMS}
            image = d.screenshot()
            # The last one is on top and whole.
            last = windows['untrusted']
            self.assert_frame(image, last, VMS['untrusted'])
            colors = image.colors(last.box)
            self.assertGreater(len(colors), 4, 'the flower is not there')

    def test_nothing_of_a_vm_is_drawn_outside_its_frame(self):
        # GTK draws a shadow around its windows, which the compositor has to cut off.
        with Desktop(vms={'work': VMS['work']}) as d:
            d.start_proxies()
            window = d.launch('work', 'Gtk4')
            image = d.screenshot()
            x, y, width, height = window.box
            self.assert_frame(image, window, VMS['work'])
            for j in range(image.height):
                for i in (*range(0, max(0, x - 4)), *range(min(image.width, x + width + 4), image.width)):
                    self.assertEqual(image.pixel(i, j), BACKGROUND, f'at {i},{j} beside {window}')
            for j in range(min(image.height, y + height + 4), image.height):
                for i in range(image.width):
                    self.assertEqual(image.pixel(i, j), BACKGROUND, f'at {i},{j} below {window}')

    def test_typed_text_reaches_the_focused_application_and_no_other(self):
        with Desktop() as d:
            for vm in VMS:
                d.options[vm] = {'applications': [reader(f'{d.dir}/{vm}.txt')]}
            d.write_vmset()
            d.ctl('reload')
            d.start_proxies()
            windows = {vm: d.launch(vm, 'Reader') for vm in VMS}
            for i, vm in enumerate(VMS):
                box = d.window(windows[vm].id).box
                # Into the title bar: a click there raises and focuses, whatever lies over the content.
                d.input.click(box[0] + 60, box[1] - 14)
                self.assertTrue(d.window(windows[vm].id).focused)
                d.input.type(f'for {vm} only')
                d.input.enter()
                d.wait_gone(len(VMS) - 1 - i)
                with open(f'{d.dir}/{vm}.txt') as file:
                    self.assertEqual(file.read(), f'for {vm} only\n')

    def test_a_click_on_a_window_gives_it_the_keyboard(self):
        with Desktop() as d:
            d.start_proxies()
            first = d.launch('work', 'Terminal')
            second = d.launch('untrusted', 'Terminal')
            d.input.click(second.x + second.width - 5, second.y + second.height - 5)
            self.assertTrue(d.window(second.id).focused)
            self.assertFalse(d.window(first.id).focused)
            d.input.click(first.x + 5, first.y + 5)
            self.assertTrue(d.window(first.id).focused)

    def test_a_window_of_another_vm_does_not_take_the_focus(self):
        with Desktop() as d:
            d.start_proxies()
            first = d.launch('work', 'Terminal')
            d.input.click(first.x + 5, first.y + 5)
            # Not launched by the user: started inside the VM by itself.
            env = dict(d.base_env, XDG_RUNTIME_DIR=f'{d.dir}/appvm-untrusted')
            display = next(name for name in os.listdir(env['XDG_RUNTIME_DIR'])
                           if name.startswith('wayland') and not name.endswith('.lock'))
            import subprocess
            app = subprocess.Popen(['foot'], env=dict(env, WAYLAND_DISPLAY=display),
                                   stderr=subprocess.DEVNULL)
            try:
                d.wait('--windows', '2')
                self.assertTrue(d.window(first.id).focused)
            finally:
                app.terminate()
                app.wait()

    def test_moving_by_the_title_bar_moves_frame_and_content(self):
        with Desktop(vms={'work': VMS['work']}) as d:
            d.start_proxies()
            window = d.launch('work', 'Shm')
            x, y = window.x + 60, window.y - 14
            d.input.drag(x, y, x + 111, y + 73)
            moved = d.window(window.id)
            self.assertEqual((moved.x, moved.y), (window.x + 111, window.y + 73))
            self.assert_frame(d.screenshot(), moved, VMS['work'])

    def test_maximised_and_back(self):
        with Desktop(vms={'work': VMS['work']}) as d:
            d.start_proxies()
            window = d.launch('work', 'Terminal')
            d.input.chord(64, 103)  # super + up
            big = d.until('maximised', lambda: next(
                (w for w in d.windows() if w.width > window.width and w.maximized), None))
            self.assert_frame(d.screenshot(), big, VMS['work'])
            self.assertEqual(big.x, 4)
            self.assertEqual(big.x + big.width + 4, d.size[0])
            self.assertEqual(big.y + big.height + 4, d.size[1])

    def test_close_button_ends_the_application(self):
        with Desktop(vms={'work': VMS['work']}) as d:
            d.start_proxies()
            window = d.launch('work', 'Flower')
            # The close button is at the right end of the title bar.
            d.input.click(window.x + window.width - 12, window.y - 14)
            d.wait_gone(0)

    def test_a_start_that_fails_says_why(self):
        with Desktop(vms={'work': VMS['work']}) as d:
            d.start_proxies()
            result = d.ctl('launch', 'work', 'Missing', check=False)
            self.assertEqual(result.returncode, 1)
            self.assertIn('No such file', result.stderr)
            result = d.ctl('launch', 'work', 'Nonesuch', check=False)
            self.assertEqual(result.returncode, 1)
            self.assertIn('Nonesuch', result.stderr)
            result = d.ctl('launch', 'nowhere', 'Terminal', check=False)
            self.assertEqual(result.returncode, 1)
            self.assertIn('nowhere', result.stderr)


if __name__ == '__main__':
    desktop.main()

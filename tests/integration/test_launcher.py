# SPDX-License-Identifier: Apache-2.0
"""The launcher, as a user meets it: a key, some letters, Enter."""
import desktop
from desktop import VMS, Case, Desktop

SUPER, SPACE, ESCAPE = 64, 57, 1


def launchers(d):
    """Processes of the launcher that belong to this desktop's server."""
    with open(f'/proc/{d.server.pid}/task/{d.server.pid}/children') as file:
        children = file.read().split()
    found = []
    for pid in children:
        try:
            with open(f'/proc/{pid}/comm') as file:
                if file.read().strip() == 'guivm-launcher':
                    found.append(int(pid))
        except FileNotFoundError:
            pass
    return found


class Launcher(Case):
    def open(self, d):
        empty = d.screenshot().data
        d.input.chord(SUPER, SPACE)
        d.until('the launcher is shown', lambda: d.screenshot().data != empty)

    def test_a_few_letters_start_an_application(self):
        with Desktop() as d:
            d.start_proxies()
            self.open(d)
            d.input.type('flow')
            d.input.enter()
            d.wait('--windows', '1')
            window = d.windows()[0]
            self.assertEqual(window.vm, 'work')
            self.assertTrue(window.focused)
            d.until('the launcher is gone', lambda: not launchers(d))

    def test_the_name_of_a_vm_narrows_the_search(self):
        with Desktop() as d:
            d.start_proxies()
            self.open(d)
            d.input.type('untr term')
            d.input.enter()
            d.wait('--windows', '1')
            self.assertEqual(d.windows()[0].vm, 'untrusted')

    def test_escape_closes_it(self):
        with Desktop(vms={'work': VMS['work']}) as d:
            d.start_proxies()
            self.open(d)
            d.input.line(f'key {ESCAPE} 1')
            d.input.line(f'key {ESCAPE} 0')
            d.until('the launcher is gone', lambda: not launchers(d))
            self.assertEqual(d.windows(), [])

    def test_a_start_that_fails_leaves_it_open_with_the_reason(self):
        with Desktop(vms={'work': VMS['work']}) as d:
            d.start_proxies()
            self.open(d)
            d.input.type('missing')
            before = d.screenshot().data
            d.input.enter()
            d.until('the reason is shown', lambda: d.screenshot().data != before)
            self.assertEqual(len(launchers(d)), 1)


if __name__ == '__main__':
    desktop.main()

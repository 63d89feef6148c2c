# SPDX-License-Identifier: Apache-2.0
"""One application per protocol, through the bridge, and what the compositor makes of it."""
import desktop
from desktop import VMS, Case, Desktop
from protocol_client import Client

WORK = {'work': VMS['work']}
GUIVM_COLOR = '#787d88'
TWO = {name: VMS[name] for name in ('work', 'untrusted')}


class Protocols(Case):
    def run_everywhere(self, what, check):
        for transport, suffix in (('local', ''), ('local', ',pixels=arena'), ('stream', '')):
            with self.subTest(f'{transport}{suffix}'), \
                    Desktop(vms=WORK, transport=transport, suffix=suffix) as d:
                d.start_proxies()
                with Client(d, 'work', what) as client:
                    check(d, client)
                    lines = client.close()
                    self.assertNotIn('connection lost', ' '.join(lines))

    def test_hints_and_icons_are_taken(self):
        self.run_everywhere('hints', lambda d, client: client.expect('hints taken'))

    def test_colour_descriptions_are_made(self):
        def check(d, client):
            client.expect('color parametric')
            client.expect('representation done')
            client.expect('color ready')
        self.run_everywhere('color', check)

    def test_kde_decoration_is_the_servers_whatever_is_asked_for(self):
        def check(d, client):
            self.assertEqual(client.expect('kde default'), '2')
            self.assertEqual(client.expect('kde mode'), '2')
            d.wait('--windows', '1')
            self.assert_frame(d.screenshot(), d.windows()[0], VMS['work'])
        self.run_everywhere('kde', check)

    def test_pointer_is_warped_inside_the_window(self):
        def check(d, client):
            d.wait('--windows', '1')
            window = d.windows()[0]
            d.input.move(window.x + 100, window.y + 100)
            client.expect('warp entered')
            client.expect('warp at 11 13')
        self.run_everywhere('warp', check)

    def test_shortcuts_are_kept_unless_the_vm_set_gives_them(self):
        with Desktop(vms=TWO, options={'work': {'inhibit_shortcuts': True}}) as d:
            d.start_proxies()
            with Client(d, 'untrusted', 'shortcuts') as denied:
                d.wait('--windows', '1')
                window = d.windows()[0]
                d.input.click(window.x + 5, window.y + 5)
                self.assertTrue(d.windows()[0].focused)
                with Client(d, 'work', 'shortcuts') as given:
                    d.wait('--windows', '2')
                    mine = next(w for w in d.windows() if w.vm == 'work')
                    d.input.click(mine.x + mine.width - 5, mine.y + mine.height - 5)
                    given.expect('shortcuts active')
                    # Super is the user's in any case.
                    d.input.chord(64, 16)  # super + q
                self.assertNotIn('shortcuts active', denied.close())

    def test_a_bell_draws_attention_to_its_window_alone(self):
        with Desktop(vms=TWO) as d:
            d.start_proxies()
            focused = d.launch('untrusted', 'Terminal')
            with Client(d, 'work', 'bell') as client:
                d.wait('--windows', '2')
                self.assertTrue(d.window(focused.id).focused)
                self.assertNotIn('connection lost', client.close())

    def test_a_shown_window_keeps_the_screen_on(self):
        with Desktop(vms=WORK) as d:
            d.start_proxies()
            with Client(d, 'work', 'inhibit') as inhibitor:
                d.wait('--windows', '1')
                with Client(d, None, 'idle') as watcher:
                    # Twice as long as the other, which has no reason to be late but the inhibitor.
                    watcher.expect('input idled')
                    self.assertNotIn('user idled', watcher.lines)
                    inhibitor.close()
                    watcher.expect('user idled')

    def test_foreign_handles_resolve_inside_one_vm_only(self):
        with Desktop(vms=TWO) as d:
            d.start_proxies()
            for version in ('1', '2'):
                with self.subTest(version), Client(d, 'work', f'export{version}') as exporter:
                    handle = exporter.expect('handle')
                    self.assertGreater(len(handle), 8)
                    for vm, answer in (('work', 'taken'), ('untrusted', 'refused')):
                        with Client(d, vm, f'import{version}', handle) as importer:
                            self.assertEqual(importer.expect('import'), answer)

    def test_text_of_an_input_method_reaches_the_application(self):
        with Desktop(vms=WORK, guivm={'color': GUIVM_COLOR}) as d:
            d.start_proxies()
            with Client(d, None, 'method') as method, Client(d, 'work', 'text') as application:
                d.wait('--windows', '1')
                window = d.windows()[0]
                d.input.click(window.x + 5, window.y + 5)
                application.expect('text entered')
                self.assertEqual(method.expect('method surrounding'), 'before 6')
                self.assertEqual(application.expect('text preedit'), 'kan 0 3')
                self.assertEqual(application.expect('text commit'), '\u6f22')
                # Its window is the GUI VM's, at the text cursor, and framed as that.
                popup = d.until('popup', lambda: next((w for w in d.windows() if w.popup), None))
                window = d.window(window.id)
                self.assertEqual(popup.vm, '')
                self.assertEqual((popup.x, popup.y), (window.x + 20 + 4, window.y + 30 + 16 + 4))
                self.assert_frame(d.screenshot(), popup, GUIVM_COLOR)


if __name__ == '__main__':
    desktop.main()

# SPDX-License-Identifier: Apache-2.0
"""What an application asks for reaches the compositor word for word.

Much of what applications say has no answer and shows nowhere: hints, tags, icons. libwayland-server itself
tells what arrived (WAYLAND_DEBUG), so that of a bridged application is compared with that of a local one.
"""
import os
import re
import unittest.mock

import desktop
from desktop import VMS, Case, Desktop
from protocol_client import Client

WORK = {'work': VMS['work']}
TRANSPORTS = (('local', ''), ('local', ',pixels=arena'), ('stream', ''))
# Interfaces of extensions, but for what differs by nature: serials, and what all windows do.
REQUEST = re.compile(r'^\[[\d:. ]+\]\s+(?:\{.*\} )?((?:wp|xdg|zxdg|zwp|org_kde)_\w+#\d+\.\w+\(.*\))$')
LEFT_OUT = re.compile(r'^(xdg_wm_base|xdg_surface|wp_pointer_warp_v1\.warp_pointer)')


def requests(text):
    """Of extensions, in order, without object ids."""
    found = []
    for line in text.splitlines():
        match = REQUEST.match(line)
        if match and not LEFT_OUT.match(match[1]):
            found.append(re.sub(r'#\d+', '', match[1]))
    return found


class Requests(Case):
    def seen_of(self, d, vm, what, line):
        """The compositor's view of one client's life. Nobody else uses these interfaces meanwhile."""
        begin = len(d.log_text())
        with Client(d, vm, what) as client:
            client.expect(line)
            client.close()
        d.wait_gone(0)
        return requests(d.log_text()[begin:])

    def check(self, what, line, expected):
        """expected: names of requests that must be among them, so that nothing equals nothing."""
        with unittest.mock.patch.dict(os.environ, {'WAYLAND_DEBUG': 'server'}):
            for transport, suffix in TRANSPORTS:
                with self.subTest(f'{transport}{suffix}'), \
                        Desktop(vms=WORK, transport=transport, suffix=suffix) as d:
                    d.start_proxies()
                    native = self.seen_of(d, None, what, line)
                    bridged = self.seen_of(d, 'work', what, line)
                    self.assertEqual(native, bridged)
                    for name in expected:
                        self.assertTrue(any(request.startswith(name) for request in native),
                                        f'{name} in {native}')

    def test_hints_tags_and_icons(self):
        self.check('hints', 'hints taken', (
            'wp_alpha_modifier_surface_v1.set_multiplier(2147483647)',
            'wp_content_type_v1.set_content_type(3)',
            'wp_tearing_control_v1.set_presentation_hint(1)',
            'xdg_dialog_v1.set_modal()',
            'xdg_toplevel_tag_manager_v1.set_toplevel_tag(xdg_toplevel, "main")',
            'xdg_toplevel_tag_manager_v1.set_toplevel_description(xdg_toplevel, "The window")',
            'xdg_toplevel_icon_v1.set_name("utilities-terminal")',
            'xdg_toplevel_icon_v1.add_buffer(wl_buffer, 2)',
            'xdg_toplevel_icon_manager_v1.set_icon(',
            'zwp_pointer_gestures_v1.get_hold_gesture(',
            'zwp_tablet_manager_v2.get_tablet_seat('))

    def test_colours(self):
        self.check('color', 'color ready', (
            'wp_image_description_creator_params_v1.set_tf_named(',
            'wp_image_description_creator_params_v1.set_primaries_named(',
            'wp_color_management_surface_v1.set_image_description(',
            'wp_color_representation_surface_v1.set_alpha_mode('))

    def test_decorations(self):
        self.check('kde', 'kde mode', ('org_kde_kwin_server_decoration_manager.create(',
                                       'org_kde_kwin_server_decoration.request_mode('))


class Effects(Case):
    """Where there is something to be seen."""

    def test_a_bell_marks_its_window(self):
        with Desktop(vms=WORK) as d:
            d.start_proxies()
            with Client(d, 'work', 'bell') as client, Client(d, None, 'plain') as other:
                client.expect('rung')
                d.wait('--windows', '2')
                # The one that rings had the focus and lost it: a window that has it needs no mark.
                for vm, from_right in (('work', False), ('', True)):
                    x, y, width, height = next(w for w in d.windows() if w.vm == vm).box
                    d.input.click(*((x + width - 5, y + height - 5) if from_right else (x + 5, y + 5)))
                window = next(w for w in d.windows() if w.vm == 'work')
                self.assertFalse(window.focused)
                bar = (window.x, window.y - 20, window.width, 16)
                before = d.screenshot().colors(bar)
                client.lines.clear()
                client.write('again')
                client.expect('rung')
                self.assertNotEqual(d.screenshot().colors(bar), before)
                self.assertNotIn('connection lost', client.close())
                other.close()

    def test_a_faded_window_shows_half_of_its_vms_colour(self):
        half = tuple((255 + part) / 2 for part in desktop.rgb(VMS['work']))
        for transport, suffix in TRANSPORTS:
            with self.subTest(f'{transport}{suffix}'), \
                    Desktop(vms=WORK, transport=transport, suffix=suffix) as d:
                d.start_proxies()
                for what, expected in (('white', (255, 255, 255)), ('fade', half)):
                    with Client(d, 'work', what) as client:
                        d.wait('--windows', '1')
                        window = d.windows()[0]
                        client.expect('shown')
                        found = d.screenshot().pixel(window.x + 50, window.y + 50)
                        client.close()
                    d.wait_gone(0)
                    for part, wanted in zip(found, expected):
                        self.assertAlmostEqual(part, wanted, delta=2, msg=f'{found} {expected}')


if __name__ == '__main__':
    desktop.main()

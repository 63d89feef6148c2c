# SPDX-License-Identifier: Apache-2.0
"""Menus, nested menus and tooltips, where there is room for them and where there is none."""
import desktop
from apps import AppCase, app, needs
from desktop import VMS

TITLE_Y = -14


class Popups(AppCase):
    def put(self, d, window, x, y):
        """Moves a window by its title bar; x and y are where its content's corner goes."""
        d.input.drag(window.x + 150, window.y + TITLE_Y, x + 150, y + TITLE_Y)
        moved = d.window(window.id)
        self.assertEqual((moved.x, moved.y), (x, y))
        return moved

    @needs('mousepad')
    def test_a_nested_menu_has_a_frame_of_its_own(self):
        with self.desktop(app('mousepad')) as d:
            self.start(d)
            self.settled(d)
            first, _ = self.open_popup(d, lambda: d.input.chord(0, 68))  # F10
            # The third entry, New From Template, opens another menu.
            second, image = self.open_popup(
                d, lambda: d.input.click(first.x + 60, first.y + 65))
            self.assertGreater(second.x, first.x + 100)
            self.assertEqual(len(self.popups(d)), 2)
            self.assert_ring(d, image, second)
            # One Escape closes both. GTK 3 passes over a click that follows the menu at once, under a
            # local client as well.
            d.input.chord(0, 1)
            d.until('both are closed', lambda: not self.popups(d))

    @needs('mousepad')
    def test_menus_at_the_edges_stay_on_the_screen(self):
        with self.desktop(app('mousepad')) as d:
            window = self.start(d)
            self.settled(d)
            for x, y in ((d.size[0] - 330, 300), (d.size[0] - 360, d.size[1] - 180), (-20, 400)):
                with self.subTest(at=(x, y)):
                    window = self.put(d, window, x, y)
                    # Into the text: a context menu, wherever the pointer is.
                    at = max(window.x + 10, 4), min(window.y + 150, d.size[1] - 6)
                    self.open_popup(d, lambda: d.input.click(
                        min(at[0] + 300, d.size[0] - 6), at[1], button=273))
                    d.input.chord(0, 1)
                    d.until('it is closed', lambda: not self.popups(d))

    @needs('featherpad')
    def test_a_qt_menu_at_the_bottom_stays_on_the_screen(self):
        with self.desktop(app('featherpad')) as d:
            window = self.start(d)
            d.until('it is drawn', lambda: len(d.screenshot().colors(window.box)) > 16)
            window = self.put(d, window, d.size[0] - 200, d.size[1] - 60)
            popup, _ = self.open_popup(d, lambda: d.input.click(window.x + 16, window.y + 11))
            self.assertGreater(popup.height, 200)

    @needs('gtk4-demo')
    def test_a_gtk_4_popover_at_the_edge_stays_on_the_screen(self):
        with self.desktop(app('gtk4-demo', GSK_RENDERER='cairo')) as d:
            window = self.start(d)
            self.settled(d)
            window = self.put(d, window, d.size[0] - 660, d.size[1] - 60)
            self.open_popup(d, lambda: d.input.click(window.x + 636, window.y + 22))

    @needs('featherpad')
    def test_a_tooltip_has_the_frame(self):
        with self.desktop(app('featherpad')) as d:
            window = self.start(d)
            d.until('it is drawn', lambda: len(d.screenshot().colors(window.box)) > 16)
            self.settled(d)

            def hover():
                d.input.move(window.x + 20, window.y + 37)
                d.input.move(window.x + 22, window.y + 38)
            popup, _ = self.open_popup(d, hover)
            self.assertLess(popup.height, 100)

    @needs('mousepad')
    def test_a_click_elsewhere_closes_a_menu(self):
        with self.desktop(app('mousepad'), vms=VMS) as d:
            window = self.start(d)
            self.start(d, vm='untrusted')
            other = next(w for w in d.windows() if w.vm == 'untrusted')
            d.input.click(window.x + 60, window.y + TITLE_Y)
            self.open_popup(d, lambda: d.input.chord(0, 68))  # F10
            d.input.click(other.x + other.width - 100, other.y + other.height - 40)
            d.until('the menu is closed', lambda: not self.popups(d))

    @needs('mousepad')
    def test_a_menu_keeps_its_vms_colour_over_another_vm(self):
        with self.desktop(app('mousepad'), vms=VMS) as d:
            self.start(d, vm='untrusted')
            window = self.start(d, vm='work')
            self.settled(d)
            popup, _ = self.open_popup(d, lambda: d.input.chord(0, 68))  # F10
            self.assertEqual(popup.vm, 'work')


if __name__ == '__main__':
    desktop.main()

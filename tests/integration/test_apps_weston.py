# SPDX-License-Identifier: Apache-2.0
"""Weston's demo clients, each of which uses one part of Wayland thoroughly."""
import subprocess

import desktop
from apps import TITLE, VMS, AppCase, app, changed_box, needs

WORK = '#1b7f3b'
ESCAPE, UP, LEFT, RIGHT, DOWN = 1, 103, 105, 106, 108


class Weston(AppCase):
    def show(self, d):
        window = self.start(d)
        image = d.until('it is drawn', lambda: (lambda image: image if len(
            image.colors(window.box)) > 1 else None)(d.screenshot()))
        self.assert_frame(image, d.window(window.id), WORK)
        return window, image

    @needs('weston-subsurfaces')
    def test_subsurfaces_are_where_they_belong(self):
        with self.desktop(app('weston-subsurfaces')) as d:
            window, _ = self.show(d)
            # A red surface at the right, with cairo's drawing, and a triangle of its own below it.
            x, y, width, height = window.box
            red = d.until('the red subsurface', lambda: [
                color for color in d.screenshot().colors((x + width - 100, y + 40, 90, 90))
                if color[0] > 120 and color[1] < 80 and color[2] < 60])
            self.assertTrue(red)

    @needs('weston-dnd')
    def test_a_flower_is_dragged_and_dropped(self):
        with self.desktop(app('weston-dnd')) as d:
            window, _ = self.show(d)
            before = self.settled(d)
            x, y, width, height = window.box
            # A flower is moved to an empty place of the same window. Flowers stand in every second
            # place of 4 x 4.
            place = {(column, row): (x + 22 + 76 * column, y + 42 + 76 * row, 64, 64)
                     for row in range(4) for column in range(4)}
            drawn = {key: len(before.colors(box)) for key, box in place.items()}
            full = max(drawn, key=drawn.get)
            empty = min(drawn, key=drawn.get)
            source = [place[full][0] + 32, place[full][1] + 32]
            target = [place[empty][0] + 32, place[empty][1] + 32]
            d.input.move(*source)
            d.input.line('button 272 1')
            d.input.move(source[0] + 8, source[1] + 8)
            d.input.move((source[0] + target[0]) // 2, (source[1] + target[1]) // 2)
            dragging = self.settled(d)
            # The icon under the pointer is in a frame of the VM's colour as well.
            icon = changed_box(before, dragging)
            self.assertGreater(self.count(dragging, icon, WORK), 100)
            d.input.move(*target)
            self.settled(d)
            d.input.line('button 272 0')
            d.until('the flower is where it was dropped', lambda: len(
                d.screenshot().colors(place[empty])) > drawn[empty] + 8)
            d.until('and no longer where it was', lambda: len(
                d.screenshot().colors(place[full])) < drawn[full])

    @needs('weston-cliptest')
    def test_cliptest_answers_keys(self):
        with self.desktop(app('weston-cliptest')) as d:
            self.show(d)
            before = self.settled(d)
            d.input.type('d')
            self.until_changed(d, before, 100)

    @needs('weston-scaler')
    def test_scaler_crops_and_scales_as_without_a_vm(self):
        for option in ('-b', '-d', '-s'):
            with self.subTest(option), self.desktop(app('weston-scaler', option)) as d:
                window, image = self.show(d)
                local = subprocess.Popen(['weston-scaler', option], env=d.env, stdout=d.log, stderr=d.log)
                try:
                    d.wait('--windows', '2')
                    own = next(w for w in d.windows() if w.vm == '')
                    both = d.until('both are drawn', lambda: (lambda image: image if len(
                        image.colors(own.box)) > 1 else None)(d.screenshot()))
                    self.assertEqual((window.width, window.height), (own.width, own.height))
                    for color in ('#0000ff', '#ff0000', '#ffffff'):
                        self.assertEqual(self.count(image, window.box, color),
                                         self.count(both, own.box, color), color)
                finally:
                    local.terminate()
                    local.wait()

    @needs('weston-transformed')
    def test_transformed_turns_its_buffer(self):
        with self.desktop(app('weston-transformed')) as d:
            window, _ = self.show(d)
            before = self.settled(d)
            d.input.click(window.x + window.width // 2 + 30, window.y + 40)
            after = self.until_changed(d, before, 100)
            self.assertNotEqual(before.data, after.data)

    @needs('weston-presentation-shm')
    def test_presentation_shm_animates_on_feedback(self):
        for mode in ('-f', '-i', '-p'):
            with self.subTest(mode), self.desktop(app('weston-presentation-shm', mode)) as d:
                window, before = self.show(d)
                d.until('it turns', lambda: d.screenshot().data != before.data)

    @needs('weston-constraints')
    def test_a_pointer_is_confined_then_locked_then_free(self):
        # Each click of the left button takes weston-constraints to the next of the three.
        vms = {'work': VMS['work'], 'personal': VMS['personal']}
        with self.desktop(app('weston-constraints'), vms=vms) as d:
            one, other = self.start(d), self.start(d, vm='personal')
            middle = one.x + one.width // 2, one.y + one.height // 2
            away = other.x + other.width // 2, other.y + other.height // 2
            near_away = away[0] - 16, away[1] - 16, 32, 32
            d.input.move(*middle)
            bare = self.settled(d).colors(near_away)

            def pull(wanted):
                """Pulls the pointer to the other window until it comes, or is kept."""
                def pulled():
                    d.input.move(*middle)
                    d.input.move(*away)
                    return (d.screenshot().colors(near_away) != bare) == wanted
                return pulled

            d.until('the pointer is free', pull(True))
            d.input.click(*middle)
            d.until('the pointer is confined', pull(False))
            d.input.line('button 273 1')
            d.input.line('button 273 0')
            self.assertTrue(d.window(one.id).focused)
            # Kept means at the border, where it is drawn; what is locked is not drawn at all.
            kept = self.settled(d)
            d.input.move(*middle)
            self.until_changed(d, kept, 10)
            d.input.line('button 272 1')
            d.input.line('button 272 0')
            d.until('the pointer is locked', lambda: self.is_hidden(d, middle))
            d.input.move(*away)
            self.assertEqual(d.screenshot().colors(near_away), bare)
            d.input.line('button 272 1')
            d.input.line('button 272 0')
            d.until('the pointer is free again', pull(True))
            d.input.line('button 272 1')
            d.input.line('button 272 0')
            d.until('the other window has the focus', lambda: d.window(other.id).focused)

    def is_hidden(self, d, at):
        """Whether no cursor is drawn at a place where nothing else is."""
        return len(d.screenshot().colors((at[0] - 8, at[1] - 8, 16, 24))) == 1

    @needs('weston-resizor')
    def test_resizor_grows_and_shrinks_by_keys(self):
        with self.desktop(app('weston-resizor')) as d:
            window, _ = self.show(d)
            d.input.line(f'key {DOWN} 1')
            d.input.line(f'key {DOWN} 0')
            grown = d.until('it has another height', lambda: next(
                (w for w in d.windows() if w.height != window.height), None))
            self.assertEqual(grown.width, window.width)
            image = self.settled(d)
            self.assert_frame(image, d.window(window.id), WORK)

    def touched(self, d, x, y, color):
        """A cross of the finger's colour, as weston-simple-touch draws it."""
        return self.count(d.screenshot(), (x - 4, y - 4, 9, 9), color) >= 5

    @needs('weston-simple-touch')
    def test_fingers_reach_the_window_that_they_touch_and_no_other(self):
        red, yellow = '#ff0000', '#ffff00'  # of the first finger and the second
        vms = {'work': VMS['work'], 'personal': VMS['personal']}
        with self.desktop(app('weston-simple-touch'), vms=vms, size=(1400, 720), touch=True) as d:
            one, other = self.start(d), self.start(d, vm='personal')
            d.until('both are drawn', lambda: all(len(
                d.screenshot().colors((w.x + 100, w.y + 100, 9, 9))) == 1 for w in (one, other)))
            # What gets the focus or loses it draws itself anew: look at motion, after that.
            d.touch.down(0, other.x + 100, other.y + 100)
            d.touch.down(1, one.x + 50, one.y + 300)
            self.settled(d)
            self.assertTrue(d.window(one.id).focused)
            d.touch.motion(0, other.x + 200, other.y + 150)
            d.touch.motion(1, one.x + 60, one.y + 350)
            d.until('the first finger', lambda: self.touched(d, other.x + 200, other.y + 150, red))
            d.until('the second', lambda: self.touched(d, one.x + 60, one.y + 350, yellow))
            # A finger stays with the window that it touched first.
            d.touch.motion(0, one.x + 200, one.y + 150)
            d.touch.up(0)
            d.touch.down(0, one.x + 400, one.y + 50)
            d.until('another touch', lambda: self.touched(d, one.x + 400, one.y + 50, red))
            self.assertFalse(self.touched(d, one.x + 200, one.y + 150, red))
            self.assertEqual(self.count(d.screenshot(), other.box, yellow), 0)
            d.touch.up(0)
            d.touch.up(1)
            # Frames answer fingers as they answer the pointer.
            d.touch.down(0, other.x + other.width - 12, other.y - TITLE // 2)
            d.touch.up(0)
            d.wait_gone(1)

    @needs('weston-tablet', 'weston-stacking', 'weston-fullscreen')
    def test_demos_that_are_only_shown(self):
        # There is no way to inject tablet input from outside into a wlroots compositor.
        for program in ('weston-tablet', 'weston-stacking', 'weston-fullscreen'):
            with self.subTest(program), self.desktop(app(program), size=(1280, 1024)) as d:
                window = self.start(d)
                self.assert_frame(self.settled(d), d.window(window.id), WORK)


if __name__ == '__main__':
    desktop.main()

# SPDX-License-Identifier: Apache-2.0
"""Real applications of each kind: started in a VM, driven by injected input, their pixels checked."""
import ctypes
import os

import desktop
from apps import AppCase, app, changed_box, needs, write

PAGE = '''<!doctype html><meta charset=utf-8><title>Page</title>
<style>body { margin: 0; background: #00ff80; font: 30px sans-serif }
select { position: absolute; left: 40px; top: 40px; font-size: 30px }
input { position: absolute; left: 40px; top: 140px; width: 300px; font-size: 30px }</style>
<select onchange="document.body.style.background = this.value"><option>white
<option value="#ffff00">yellow<option value="#ff00ff">purple</select>
<input oninput="if (value == 'Blue 1') document.body.style.background = '#0000ff'">
'''
GREEN, BLUE = '#00ff80', '#0000ff'

FIREFOX_SETTINGS = '''
user_pref("app.normandy.enabled", false);
user_pref("browser.aboutwelcome.enabled", false);
user_pref("browser.preonboarding.enabled", false);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("ui.prefersReducedMotion", 1);
'''

SDL_TESTS = '/usr/libexec/installed-tests/SDL2'


def write_pdf(path):
    """Two pages: one red, one blue."""
    cairo, double = ctypes.CDLL('libcairo.so.2'), ctypes.c_double
    cairo.cairo_pdf_surface_create.restype = ctypes.c_void_p
    cairo.cairo_create.restype = ctypes.c_void_p
    surface = ctypes.c_void_p(cairo.cairo_pdf_surface_create(
        path.encode(), double(400), double(300)))
    context = ctypes.c_void_p(cairo.cairo_create(surface))
    for color in ((1, 0, 0), (0, 0, 1)):
        cairo.cairo_set_source_rgb(context, *map(double, color))
        cairo.cairo_paint(context)
        cairo.cairo_show_page(context)
    cairo.cairo_destroy(context)
    cairo.cairo_surface_finish(surface)
    cairo.cairo_surface_destroy(surface)


def write_clip(path, width=320, height=240):
    """Four seconds at 25 frames per second: red, then blue (4:2:0, BT.601 limited range)."""
    with open(path, 'wb') as file:
        file.write(f'YUV4MPEG2 W{width} H{height} F25:1 Ip A1:1 C420jpeg\n'.encode())
        for i in range(100):
            luma, cb, cr = (81, 90, 240) if i < 50 else (41, 240, 110)
            file.write(b'FRAME\n' + bytes([luma]) * (width * height))
            file.write(bytes([cb]) * (width * height // 4) + bytes([cr]) * (width * height // 4))


def mostly(image, box, test):
    """Whether at least 9 of 10 pixels in box pass."""
    colors = image.colors(box)
    return sum(n for color, n in colors.items() if test(color)) > 0.9 * sum(colors.values())


class Terminals(AppCase):
    @needs('foot')
    def test_foot_shows_what_is_typed(self):
        with self.desktop(app('foot')) as d:
            window = self.start(d)
            self.settled(d)
            # 24-bit colours, so that the pixels cannot be anything else.
            d.input.type("printf '\\033[48;2;200;30;160m%200s\\033[0m\\n'")
            d.input.enter()
            image = self.until_color(d, window.box, '#c81ea0', 2000)
            self.assert_frame(image, window, '#1b7f3b')

    @needs('weston-terminal')
    def test_weston_terminal_shows_what_is_typed(self):
        with self.desktop(app('weston-terminal', '--shell=/bin/sh')) as d:
            window = self.start(d)
            before = self.settled(d)
            d.input.type('echo 1111111111111111111111')
            image = self.until_changed(d, before, 500)
            self.assert_frame(image, window, '#1b7f3b')


class Toolkits(AppCase):
    @needs('gtk4-demo')
    def test_gtk_4_follows_clicks_and_opens_a_framed_popover(self):
        with self.desktop(app('gtk4-demo')) as d:
            window = self.start(d)
            before = self.settled(d)
            d.input.click(window.x + 355, window.y + 64)  # the Source tab
            self.until_changed(d, before, 10000)
            x = window.x + 636
            popup, _ = self.open_popup(d, lambda: d.input.click(x, window.y + 22))
            self.assertLess(popup.x, x)
            self.assertGreater(popup.x + popup.width, x)

    @needs('mousepad')
    def test_gtk_3_edits_text_and_opens_menus(self):
        with self.desktop(app('mousepad')) as d:
            window = self.start(d)
            before = self.settled(d)
            d.input.type('Hello from a GTK 3 editor')
            after = self.until_changed(d, before, 500)
            x, y, width, height = changed_box(before, after)
            self.assertGreater(width, 100)
            popup, _ = self.open_popup(d, lambda: d.input.chord(0, 68))  # F10
            self.assertLess(abs(popup.x - window.x), 12)

    @needs('featherpad')
    def test_qt_6_edits_text_and_opens_menus(self):
        with self.desktop(app('featherpad')) as d:
            window = self.start(d)
            d.until('it is drawn', lambda: len(d.screenshot().colors(window.box)) > 16)
            before = self.settled(d)
            d.input.type('Hello from a Qt 6 editor')
            self.until_changed(d, before, 500)
            self.open_popup(d, lambda: d.input.click(window.x + 16, window.y + 11))


class Browsers(AppCase):
    def browse(self, d, command):
        """Starts it with the test page; returns its window and the top of the page."""
        url = 'file://' + write(f'{d.dir}/page.html', PAGE)
        d.options['work']['applications'][0]['exec'] = [*command, url]
        os.mkdir(f'{d.dir}/profile')
        write(f'{d.dir}/profile/user.js', FIREFOX_SETTINGS)
        d.write_vmset()
        d.ctl('reload')
        self.start(d)
        self.until_color(d, (0, 0, *d.size), GREEN, 200000)
        image = self.settled(d)
        window = d.windows()[0]
        self.assert_frame(image, window, '#1b7f3b')
        x = window.x + 20
        return window, next(y for y in range(window.y, window.y + window.height) if all(
            image.pixel(x, y + i) == (0, 255, 128) for i in range(30)))

    def fill_in(self, d, window, page):
        d.input.click(window.x + 100, page + 160)
        d.input.type('Blue 1')
        self.until_color(d, (0, 0, *d.size), BLUE, 200000)
        d.input.chord(4, 17)  # control + w closes the only tab
        d.wait_gone(0)

    @needs('chromium')
    def test_chromium_shows_a_page_its_menus_and_what_is_typed(self):
        with self.desktop(app('chromium')) as d:
            window, page = self.browse(d, [
                'chromium', '--no-sandbox', '--ozone-platform=wayland', '--disable-gpu', '--disable-quic',
                '--no-first-run', '--disable-background-networking', '--disable-component-update',
                '--disable-sync', '--test-type', '--password-store=basic',
                f'--user-data-dir={d.dir}/profile'])
            popup, _ = self.open_popup(d, lambda: d.input.click(window.x + 60, page + 60))
            self.assertGreater(popup.y, page)
            d.input.chord(0, 108)  # down
            d.input.chord(0, 28)  # return
            self.until_color(d, (0, 0, *d.size), '#ffff00', 200000)
            self.fill_in(d, window, page)

    @needs('firefox-esr')
    def test_firefox_shows_a_page_its_menus_and_what_is_typed(self):
        with self.desktop(app('firefox-esr')) as d:
            window, page = self.browse(d, ['env', 'MOZ_ENABLE_WAYLAND=1', 'firefox-esr', '--no-remote',
                                           '--profile', f'{d.dir}/profile'])
            # Its menu is at the right end of the bar above the page.
            right = window.x + window.width
            popup, _ = self.open_popup(d, lambda: d.input.click(right - 24, page - 20))
            self.assertGreater(popup.x, right - 500)
            d.input.chord(0, 1)  # escape
            d.until('the menu is closed', lambda: not self.popups(d))
            self.choose_in_list(d, window, page)
            self.fill_in(d, window, page)

    def choose_in_list(self, d, window, page):
        """A list of Firefox is no popup but a subsurface of its window: there is no frame to look for."""
        d.input.move(window.x + 60, page + 60)
        before = self.settled(d)
        d.input.click(window.x + 60, page + 60)
        image = self.until_changed(d, before, 10000)
        left, top, width, height = changed_box(before, image)
        self.assertEqual(self.popups(d), [])
        # The second of three entries, below the closed list.
        d.input.click(left + width // 2, (page + 82 + top + height) // 2)
        self.until_color(d, (0, 0, *d.size), '#ffff00', 200000)


class Media(AppCase):
    @needs('mpv')
    def test_mpv_plays_a_clip_and_ends_by_its_key(self):
        with self.desktop(app('mpv')) as d:
            write_clip(f'{d.dir}/clip.y4m')
            d.options['work']['applications'][0]['exec'] = [
                'mpv', '--no-config', '--vo=wlshm', '--ao=null', '--osc=no', '--loop=inf', f'{d.dir}/clip.y4m']
            d.write_vmset()
            d.ctl('reload')
            window = self.start(d)
            red = d.until('red frames', lambda: (lambda image: image if mostly(
                image, window.box, lambda c: c[0] > 200 and c[2] < 60) else None)(d.screenshot()))
            self.assert_frame(red, window, '#1b7f3b')
            d.until('blue frames', lambda: mostly(
                d.screenshot(), window.box, lambda c: c[2] > 200 and c[0] < 60))
            d.input.type('q')
            d.wait_gone(0)

    @needs('zathura')
    def test_zathura_turns_pages(self):
        with self.desktop(app('zathura')) as d:
            write_pdf(f'{d.dir}/two.pdf')
            d.options['work']['applications'][0]['exec'] = ['zathura', f'{d.dir}/two.pdf']
            d.write_vmset()
            d.ctl('reload')
            window = self.start(d)
            self.until_color(d, window.box, '#ff0000', 100000)
            d.input.type('J')
            self.until_color(d, window.box, '#0000ff', 100000)


@needs(f'{SDL_TESTS}/testmouse')
class Sdl(AppCase):
    def test_sdl_draws_lines_along_the_pointer(self):
        command = app(f'{SDL_TESTS}/testmouse', SDL_VIDEODRIVER='wayland', SDL_RENDER_DRIVER='software')
        with self.desktop(command) as d:
            window = self.start(d)
            before = self.settled(d)
            d.input.drag(window.x + 100, window.y + 100, window.x + 400, window.y + 300)
            image = self.until_changed(d, before, 20000)
            self.assert_frame(image, window, '#1b7f3b')


class X11(AppCase):
    @needs('Xwayland', 'xcalc')
    def test_an_x11_application_in_the_vms_own_xwayland(self):
        script = ('mkfifo "$HOME/display"; '
                  'Xwayland -geometry 300x400 -displayfd 3 3>"$HOME/display" & '
                  'read display <"$HOME/display"; '
                  'DISPLAY=:$display xcalc -geometry 300x400+0+0; kill $!')
        with self.desktop(app('sh', '-c', script)) as d:
            window = self.start(d)
            d.until('the calculator is drawn', lambda: len(d.screenshot().colors(window.box)) > 1)
            before = self.settled(d)
            x, y, width, height = window.box
            self.assertEqual((width, height), (300, 400))
            d.input.click(x + width // 2, y + height // 2)
            self.until_changed(d, before, 100)
            display = x, y, width, height // 5
            before = d.screenshot().colors(display)
            d.input.type('888')
            d.until('typed digits', lambda: d.screenshot().colors(display) != before)


if __name__ == '__main__':
    desktop.main()

# SPDX-License-Identifier: Apache-2.0
"""Applications in a VM whose text comes from an input method, which runs in the GUI VM."""
import os
import time

import desktop
from apps import AppCase, app, changed_box, needs, write
from desktop import BUILD
from protocol_client import Client

METHOD = f'{BUILD}/tests/integration/isthmus-test-input-method'
KANJI = '\u6f22\u5b57'  # what no key of the layout makes

PAGE = f'''<!doctype html><meta charset=utf-8><title>Page</title>
<style>body {{ margin: 0; background: #00ff80 }}
input {{ position: absolute; left: 0; top: 0; width: 100%; height: 200px; font-size: 100px }}</style>
<input autofocus oninput="if (value == '{KANJI}') document.body.style.background = '#0000ff'
else if (value == 'kanji') document.body.style.background = '#ffff00'">
'''


def wide(box):
    return box is not None and box[2] > 20


class Method(Client):
    def __init__(self, d):
        super().__init__(d, None, program=METHOD)

    def compose(self, line):
        self.write(line)
        while self.next() != 'ok':
            pass


class InputMethod(AppCase):
    def color(self, d, color):
        self.until_color(d, (0, 0, *d.size), color, 100000)

    def still(self, d):
        """A screenshot in which nothing but a caret has blinked for a while."""
        state = {'image': d.screenshot(), 'since': time.monotonic()}

        def rests():
            image = d.screenshot()
            if wide(changed_box(state['image'], image)):
                state.update(image=image, since=time.monotonic())
            return image if time.monotonic() - state['since'] > 0.5 else None
        return d.until('the desktop comes to rest', rests)

    @needs('foot')
    def test_a_terminal_gets_composed_text(self):
        with self.desktop(app('foot')) as d, Method(d) as method:
            out = f'{d.dir}/out'
            self.start(d)
            method.expect('active')
            before = self.settled(d)
            d.input.type(f'read text; printf %s "$text" >{out}')
            d.input.enter()
            before = self.until_changed(d, before, 100)
            method.compose('preedit kanji')
            self.until_changed(d, before, 50)
            method.compose(f'commit {KANJI}')
            d.input.enter()
            d.until('the text', lambda: os.path.exists(out) and os.path.getsize(out))
            with open(out) as file:
                self.assertEqual(file.read(), KANJI)

    @needs('gtk4-demo')
    def test_gtk_4_shows_what_is_composed(self):
        with self.desktop(app('gtk4-demo', '--run=password_entry', GSK_RENDERER='cairo',
                              GTK_IM_MODULE='wayland')) as d, Method(d) as method:
            self.start(d)
            self.still(d)
            d.input.chord(0, 15)  # tab: a text field
            method.expect('active')
            before = self.still(d)
            method.compose(f'commit {KANJI * 5}')
            # Five letters, or what a password shows of them.
            d.until('the text', lambda: wide(changed_box(before, d.screenshot())))

    def browse(self, command, typed):
        with self.desktop(app('true')) as d, Method(d) as method:
            os.mkdir(f'{d.dir}/profile')
            url = 'file://' + write(f'{d.dir}/page.html', PAGE)
            d.options['work']['applications'][0]['exec'] = [
                word.replace('@PROFILE@', f'{d.dir}/profile') for word in command] + [url]
            d.write_vmset()
            d.ctl('reload')
            window = self.start(d)
            self.color(d, '#00ff80')
            window = d.window(window.id)
            d.input.click(window.x + window.width // 2, window.y + 180)
            method.expect('active')
            self.settled(d)
            method.compose('preedit kanji')
            self.color(d, typed)
            method.compose(f'commit {KANJI}')
            self.color(d, '#0000ff')

    @needs('firefox-esr')
    def test_firefox_gets_composed_text(self):
        self.browse(['env', 'MOZ_ENABLE_WAYLAND=1', 'GTK_IM_MODULE=wayland', 'firefox-esr', '--no-remote',
                     '--profile', '@PROFILE@'], '#ffff00')

    @needs('chromium')
    def test_chromium_gets_composed_text(self):
        self.browse(['chromium', '--no-sandbox', '--ozone-platform=wayland', '--disable-gpu',
                     '--enable-wayland-ime', '--wayland-text-input-version=3', '--no-first-run',
                     '--disable-background-networking', '--disable-component-update', '--disable-sync',
                     '--test-type', '--password-store=basic', '--user-data-dir=@PROFILE@'], '#ffff00')


if __name__ == '__main__':
    desktop.main()

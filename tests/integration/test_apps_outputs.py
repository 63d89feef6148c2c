# SPDX-License-Identifier: Apache-2.0
"""Applications while outputs change: fractional scales, outputs that come and go."""
import re
import subprocess

import desktop
from apps import AppCase, app, changed_box, needs, write
from desktop import Image


# Stripes as wide as one pixel of the output.
STRIPES = '''<!doctype html><meta charset=utf-8><title>Stripes</title><body style="margin: 0; background: #fff">
<canvas id=stripes style="position: absolute; left: 0; top: 0"></canvas><script>
function draw() {
  const ratio = devicePixelRatio, width = Math.round(innerWidth * ratio), height = Math.round(200 * ratio)
  stripes.width = width
  stripes.height = height
  stripes.style.width = width / ratio + 'px'
  stripes.style.height = height / ratio + 'px'
  const context = stripes.getContext('2d')
  for (let x = 0; x < width; x++) {
    context.fillStyle = x % 2 ? '#ff0000' : '#0000ff'
    context.fillRect(x, 0, 1, height)
  }
}
draw()
onresize = draw
</script>'''


def randr(d, *options):
    subprocess.run(['wlr-randr', *options], env=d.env, check=True)


def shot(d, output='HEADLESS-1'):
    """What one output shows, in its own pixels."""
    path = f'{d.dir}/{output}.png'
    d.ctl('screenshot', '--output', output, path)
    return Image(path)


def scaled(box, scale):
    """The pixels of a logical box, less those at its edges."""
    x, y, width, height = box
    left, top = int(x * scale) + 2, int(y * scale) + 2
    return left, top, int((x + width) * scale) - 2 - left, int((y + height) * scale) - 2 - top


@needs('wlr-randr')
class Scale(AppCase):
    @needs('foot')
    def test_a_picture_of_two_outputs_has_all_pixels_of_both(self):
        with self.desktop(app('foot', '-w', '401x251'), outputs=2) as d:
            # 910 x 512 and 1092 x 614, side by side.
            for number, scale, place in (('1', '1.5', '0,0'), ('2', '1.25', '910,0')):
                randr(d, '--output', f'HEADLESS-{number}', '--custom-mode', '1366x768@60',
                      '--scale', scale, '--pos', place)
            self.start(d)
            self.settled(d)
            both, fine, coarse = d.screenshot(), shot(d), shot(d, 'HEADLESS-2')
            self.assertEqual((both.width, both.height), (1366 + round(1366 * 1.2), round(768 * 1.2)))
            self.assertEqual((fine.width, fine.height), (1366, 768))
            self.assertEqual((coarse.width, coarse.height), (1366, 768))
            # The pixels of the finer one are all there and nowhere else, the other's are larger.
            for y in range(768):
                row = both.data[y * both.stride:][:1366 * 4]
                self.assertEqual(row, fine.data[y * fine.stride:][:1366 * 4], f'row {y}')
            self.assertEqual(set(both.colors((1366, 0, 1, 900))), set(coarse.colors((0, 0, 1, 750))))

    @needs('foot')
    def test_a_terminal_is_sharp_at_fractional_scales(self):
        # Full blocks at every second place of a line: their edges are hard in every picture that is
        # drawn at the output's own scale, and soft in every one that was scaled to it.
        for scale in (1.25, 1.5, 2):
            with self.subTest(scale), self.desktop(app('foot', '-w', '401x251')) as d:
                randr(d, '--output', 'HEADLESS-1', '--scale', str(scale))
                d.size = int(1280 / scale), int(720 / scale)  # the layout's, for the pointer
                window = self.start(d)
                red, blue = '\\033[48;2;255;0;0m', '\\033[48;2;0;0;255m'
                d.input.type(f"clear; for i in $(seq 300); do printf '{red} {blue} '; done; read line")
                d.input.enter()

                def drawn():
                    image = shot(d)
                    box = scaled(d.window(window.id).box, scale)
                    colors = image.colors((box[0], box[1], box[2] - 20, 8))
                    return colors if colors.get((255, 0, 0), 0) > 100 else None
                colors = d.until('the pattern', drawn)
                self.assertEqual(set(colors), {(255, 0, 0), (0, 0, 255)}, f'at scale {scale}')
                # Wherever it is dragged.
                for _ in range(4):
                    place = d.window(window.id)
                    x, y = place.x + 50, place.y + 200
                    d.input.line('mods 64')  # with Super, anywhere
                    d.input.drag(x, y, x + 3, y + 1)
                    d.input.line('mods 0')
                    d.input.move(1, d.size[1] - 2)
                    colors = d.until('it moves', lambda: d.window(window.id).x > place.x and drawn())
                    self.assertEqual(set(colors), {(255, 0, 0), (0, 0, 255)}, d.window(window.id))

    @needs('chromium')
    def test_a_browser_is_sharp_at_fractional_scales(self):
        for scale in (1.25, 1.5, 2):
            with self.subTest(scale), self.desktop(app('true')) as d:
                randr(d, '--output', 'HEADLESS-1', '--scale', str(scale))
                url = 'file://' + write(f'{d.dir}/page.html', STRIPES)
                d.options['work']['applications'][0]['exec'] = [
                    'chromium', '--no-sandbox', '--ozone-platform=wayland', '--disable-gpu', '--no-first-run',
                    '--disable-background-networking', '--disable-component-update', '--disable-sync',
                    '--test-type', '--password-store=basic', f'--user-data-dir={d.dir}/profile', url]
                d.write_vmset()
                d.ctl('reload')
                window = self.start(d)
                d.until('hard stripes', lambda: self.has_stripes(
                    shot(d), scaled(d.window(window.id).box, scale)))

    def has_stripes(self, image, box):
        """Whether there is a band of rows in which each pixel has the other colour than its neighbour."""
        x, y, width, height = box
        red, blue = (255, 0, 0), (0, 0, 255)

        def hard(row):
            line = [image.pixel(x + i, row) for i in range(width - 20)]
            return set(line) == {red, blue} and all(a != b for a, b in zip(line, line[1:]))
        rows = [hard(row) for row in range(y, y + height, 10)]
        return sum(rows) >= 8

    def assert_native_buffers(self, log, window, scale):
        """Its surface, with a shadow or without, has as many pixels as the output shows of it."""
        with open(log) as file:
            text = file.read()
        made = re.findall(r'create_buffer\(new id wl_buffer#\d+, \d+, (\d+), (\d+),', text)
        shown = re.findall(r'wp_viewport#\d+\.set_destination\((\d+), (\d+)\)', text)
        native = [(width, height) for width, height in shown
                  if int(width) >= window.width and int(height) >= window.height and
                  (str(round(int(width) * scale)), str(round(int(height) * scale))) in made]
        self.assertTrue(native, f'{window} is shown as {shown} of {made}')

    def place(self, d, scale):
        """Of the content's pixels, without round corners: the frame's colour is seen there."""
        d.until('it is drawn', lambda: len(shot(d).colors(scaled(d.windows()[0].box, scale))) > 8)
        self.settled(d)
        x, y, width, height = scaled(d.windows()[0].box, scale)
        return x + 12, y + 12, width - 24, height - 24

    def scaled_desktop(self, d, scale):
        randr(d, '--output', 'HEADLESS-1', '--scale', str(scale))
        d.size = int(1280 / scale), int(720 / scale)  # the layout's, for the pointer
        d.input.move(d.size[0] - 1, d.size[1] - 1)

    def compare_with_a_local_one(self, scale, *command):
        """It is the first on its desktop, once in a VM and once as a program of the GUI VM."""
        with self.desktop(app('true')) as d:
            log = f'{d.dir}/wayland.log'
            d.options['work']['applications'][0]['exec'] = [
                'sh', '-c', f'exec env WAYLAND_DEBUG=client {" ".join(command)} 2>{log}']
            d.write_vmset()
            d.ctl('reload')
            self.scaled_desktop(d, scale)
            self.start(d)
            place = self.place(d, scale)
            bridged = shot(d)
            self.assert_native_buffers(log, d.windows()[0], scale)
        with self.desktop(app('true')) as d:
            self.scaled_desktop(d, scale)
            local = subprocess.Popen(command, env=d.env, stdout=d.log, stderr=d.log)
            try:
                d.wait('--windows', '1')
                self.assertEqual(place, self.place(d, scale))
                # A caret blinks.
                d.until('the same pixels', lambda: changed_box(bridged, shot(d), place) is None)
            finally:
                local.kill()
                local.wait()

    @needs('gtk4-demo')
    def test_gtk_4_is_as_sharp_as_a_local_one_at_fractional_scales(self):
        for scale in (1.25, 1.5, 2):
            with self.subTest(scale):
                self.compare_with_a_local_one(scale, 'env', 'GSK_RENDERER=cairo', 'gtk4-demo')

    @needs('featherpad')
    def test_qt_6_is_as_sharp_as_a_local_one_at_fractional_scales(self):
        for scale in (1.25, 1.5, 2):
            with self.subTest(scale):
                self.compare_with_a_local_one(scale, 'featherpad')

    @needs('gtk4-demo')
    def test_a_menu_is_sharp_and_framed_at_a_fractional_scale(self):
        for scale in (1.25, 1.5, 2):
            with self.subTest(scale), self.desktop(app('gtk4-demo', GSK_RENDERER='cairo')) as d:
                randr(d, '--output', 'HEADLESS-1', '--scale', str(scale))
                window = self.start(d)
                self.settled(d)
                window = d.window(window.id)
                d.size = int(1280 / scale), int(720 / scale)  # the layout's, for the pointer
                d.input.click(window.x + window.width - 164, window.y + 22)
                popup = d.until('a popup', lambda: self.popups(d))[0]
                self.settled(d)
                image = shot(d)
                self.assertEqual((image.width, image.height), (1280, 720))
                left = int((popup.x - 4) * scale) + 1
                middle = int((popup.y + popup.height / 2) * scale)
                self.assertEqual(image.pixel(left, middle), desktop.rgb('#1b7f3b'))


@needs('wlr-randr')
class Hotplug(AppCase):
    @needs('foot', 'gtk4-demo')
    def test_windows_move_to_the_output_that_is_left(self):
        with self.desktop(app('foot'), app('gtk4-demo', GSK_RENDERER='cairo'), outputs=2) as d:
            terminal = self.start(d)
            other = self.start(d, 'App 2')
            self.settled(d)
            for gone, left in (('HEADLESS-1', 'HEADLESS-2'), ('HEADLESS-2', 'HEADLESS-1')):
                randr(d, '--output', gone, '--off')
                for window in (terminal, other):
                    d.until(f'{window} is on {left}', lambda: self.on_output(d, window, left))
                randr(d, '--output', gone, '--on')
                self.settled(d)
            # Both are alive.
            before = self.settled(d)
            window = d.window(terminal.id)
            d.input.click(window.x + 30, window.y - 14)
            d.input.type('echo 1111111111111111')
            self.until_changed(d, before, 200)
            self.assertEqual(len(d.windows()), 2)

    def on_output(self, d, window, name):
        """The middle of the title bar's label shows up on that output."""
        outputs = subprocess.run(['wlr-randr'], env=d.env, check=True, capture_output=True, text=True).stdout
        block = outputs.split(f'{name} ')[1]
        position = next(line for line in block.splitlines() if 'Position' in line)
        x = int(position.split()[1].split(',')[0])
        now = d.window(window.id)
        return x <= now.x + 50 < x + 1280

    @needs('foot')
    def test_applications_survive_a_time_without_any_output(self):
        with self.desktop(app('foot')) as d:
            window = self.start(d)
            self.settled(d)
            randr(d, '--output', 'HEADLESS-1', '--off')
            self.assertEqual(d.window(window.id).box, window.box)
            d.input.type('echo 2222222222222222')
            randr(d, '--output', 'HEADLESS-1', '--on')
            image = d.until('it is drawn again', lambda: (lambda image: image if len(
                image.colors(d.window(window.id).box)) > 2 else None)(d.screenshot()))
            self.assertEqual(d.window(window.id).box, window.box)
            self.assert_frame(image, window, '#1b7f3b')
            before = self.settled(d)
            d.input.type('1111111111111111111111')
            self.until_changed(d, before, 200)


if __name__ == '__main__':
    desktop.main()

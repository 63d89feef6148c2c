# SPDX-License-Identifier: Apache-2.0
"""What only a machine of its own can have: a GPU's memory and fences, a drawing tablet, a touchpad.

One machine is the GUI VM and, over the local transport, the application VM as well. Its GPU is virtio-gpu,
drawn by the processor; its tablet and touchpad are uinput's, found by udev and libinput as any others.
"""
import glob
import json
import shlex
import subprocess
import unittest

import machines
import qemu

import desktop

COLOR = '#b3261e'
GREEN = (0x20, 0xa0, 0x40)  # of isthmus-test-dmabuf
PROGRAMS = [f'{machines.BUILD}/tests/{path}' for path in (
    'integration/isthmus-test-devices', 'vm/isthmus-test-dmabuf', 'vm/isthmus-test-evdev')]
BROWN = (0xa0, 0x40, 0x20)
DROP_IN = '/run/systemd/system/guivm-server.service.d'


class Lone(machines.Desktop):
    def __init__(self):
        super().__init__({'web': {'label': 'Web', 'color': COLOR}})

    def prepare(self):
        for name in self.vms:
            self.vms[name]['transport'] = f'local:/run/isthmus/{name}'
        with open(f'{self.dir}/vmset.json', 'w') as file:
            json.dump({'version': 1, 'guivm': {}, 'vms': self.vms}, file)
        subprocess.run([f'{qemu.SCRIPTS}/vm-image', '--build', self.build, '--vmset', f'{self.dir}/vmset.json',
                        '--machine', 'lone', *(word for program in PROGRAMS for word in ('--add', program)),
                        self.dir], check=True)

    def start(self):
        self.machines['gui'] = qemu.Machine(
            'gui', self.dir, 'lone', 1280, 'systemd.tty.term.console=dumb',
            ['-smp', '2', '-device', f'virtio-gpu-pci,xres={self.size[0]},yres={self.size[1]}',
             '-device', 'virtio-tablet-pci', '-display', 'none'])
        # Its image is large.
        self.gui.console.wait('isthmus: desktop is up', 2 * qemu.LIMIT_S)

    def root(self, command):
        return self.gui.shell(command, user='root')

    def draw_with_a_gpu(self, **environment):
        """environment: more for guivm-server."""
        self.root('chmod 666 /dev/dri/* /dev/udmabuf')
        # One that is the processor makes its code as it goes, and its fences of udmabuf. Drop-ins count in the
        # order of their names.
        more = ' '.join(f'{name}={value}' for name, value in environment.items())
        settings = ('[Service]', f'Environment=WLR_RENDERER=gles2 WLR_RENDERER_ALLOW_SOFTWARE=1 {more}',
                    'MemoryDenyWriteExecute=no', 'DeviceAllow=/dev/udmabuf rw', 'TimeoutStartSec=120')
        self.root(f'mkdir -p {DROP_IN}; printf "%s\\n" {shlex.join(settings)} >{DROP_IN}/with-gpu.conf; '
                  'systemctl daemon-reload')
        self.stop()
        self.root('systemctl start guivm-server')

    def stop(self):
        """The compositor ends in good order, whatever it imported or could not."""
        self.root('systemctl stop guivm-server')
        how = self.root('systemctl show -p Result -p ExecMainCode -p ExecMainStatus guivm-server').split()
        assert sorted(how) == ['ExecMainCode=1', 'ExecMainStatus=0', 'Result=success'], how

    def start_program(self, name, *words, user='user', prefix=''):
        """Its input is the file /tmp/NAME.in, its lines go to /tmp/NAME.out."""
        self.gui.shell(f'rm -f /tmp/{name}.in; mkfifo /tmp/{name}.in; {prefix} {name} {" ".join(words)} '
                       f'<>/tmp/{name}.in >/tmp/{name}.out 2>&1 &', user=user)

    def start_application(self, name, *words):
        self.start_program(name, *words, prefix='appvm-proxy --vmset /etc/isthmus/vmset.json --vm web --')

    def lines(self, name):
        return [line for line in self.gui.shell(f'cat /tmp/{name}.out').splitlines() if line]

    def expect(self, name, line, after=0):
        """Until the program said the line; how many it had said by then."""
        def look():
            lines = self.lines(name)
            return lines.index(line, after) + 1 if line in lines[after:] else None
        try:
            return self.until(f'"{line}" of {name}', look)
        except AssertionError as error:
            raise AssertionError(f'{error}: {self.lines(name)[-40:]}') from None

    def play(self, *lines):
        for line in lines:
            count = len(self.lines('isthmus-test-evdev'))
            self.root(f'echo {line} >/tmp/isthmus-test-evdev.in')
            self.expect('isthmus-test-evdev', 'done', count)


class Devices(desktop.Booted):
    """In the order of their names: the machine boots once."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.d = Lone().__enter__()
        cls.told('the desktop is up')

    @classmethod
    def tearDownClass(cls):
        cls.d.__exit__(None, None, None)

    def consoles(self):
        return self.d.gui.console.text

    def window(self):
        self.d.wait('--windows', '1')
        return self.d.windows()[0]

    def test_1_a_pen_reaches_the_application(self):
        d = self.d
        d.start_application('isthmus-test-devices')
        window = self.window()
        d.start_program('isthmus-test-evdev', user='root')
        name = 'isthmus-test-devices'
        d.expect(name, 'tablet Isthmus test tablet')
        # The tablet is the whole screen.
        at = [part * scale // size for part, scale, size in zip(
            (window.x + 100, window.y + 100, window.x + 300, window.y + 200), (20000, 15000) * 2, d.size * 2)]
        d.play(f'near {at[0]} {at[1]}')
        seen = d.expect(name, 'near')
        self.assertIn('tool pen', d.lines(name))
        d.play(f'draw {at[2]} {at[3]} 1024')
        seen = d.expect(name, 'down', seen)
        d.play('button 1', 'button 0', 'up', 'away')
        seen = d.expect(name, 'button 331 1', seen)
        seen = d.expect(name, 'button 331 0', seen)
        seen = d.expect(name, 'up', seen)
        d.expect(name, 'away', seen)
        places = [tuple(map(int, line.split()[1:])) for line in d.lines(name) if line.startswith('at ')]
        self.assertGreater(len(places), 5)
        for found, expected in zip((*places[0], *places[-1]), (100, 100, 300, 200)):
            self.assertAlmostEqual(found, expected, delta=2)
        pressures = [int(line.split()[1]) for line in d.lines(name) if line.startswith('pressure ')]
        self.assertGreater(max(pressures), 60000)
        self.told('a pen drew')

    def test_2_gestures_reach_the_application(self):
        d, name = self.d, 'isthmus-test-devices'
        window = self.window()
        d.click(window.x + window.width // 2, window.y + window.height // 2)
        # Fingers that rest are a gesture of their own, whose beginning tells that they were noticed.
        seen = len(d.lines(name))
        d.play('fingers 3')
        seen = d.expect(name, 'hold begins 3', seen)
        d.play('slide 300 0')
        seen = d.expect(name, 'hold ends 1', seen)
        seen = d.expect(name, 'swipe begins 3', seen)
        seen = d.expect(name, 'swipe right -', seen)
        d.play('fingers 0')
        seen = d.expect(name, 'swipe ends 0', seen)
        d.play('fingers 2')
        seen = d.expect(name, 'hold begins 2', seen)
        d.play('spread 300')
        seen = d.expect(name, 'pinch begins 2', seen)
        seen = d.expect(name, 'pinch wider', seen)
        d.play('fingers 0')
        d.expect(name, 'pinch ends 0', seen)
        self.told('fingers held, swiped and pinched')
        d.root('killall appvm-proxy')
        d.wait('--max-windows', '0')

    @unittest.skipIf(not glob.glob('/usr/lib/*/libgallium-*.so'), 'no Mesa here to draw as a GPU')
    def test_3_gpu_memory_is_shown_when_its_fence_says_so(self):
        d, name = self.d, 'isthmus-test-dmabuf'
        d.draw_with_a_gpu()
        self.told('a GPU draws')
        d.start_application(name, '4200')
        for line in ('linux-dmabuf 5', 'linux-drm-syncobj 1', 'feedback done', 'buffer created', 'fences passed',
                     '4200 descriptors came and went', 'shown'):
            d.expect(name, line)
            self.told(line)
        self.assertTrue(any(line.startswith('table of ') and line.endswith('in it') for line in d.lines(name)),
                        d.lines(name))
        window = self.window()
        image = d.until_colors('content', lambda colors: colors.get(GREEN, 0) > 60000)
        self.assertEqual(image.pixel(window.x - 1, window.y + 5), desktop.rgb(COLOR))
        self.told('it is on the screen, in its frame')
        d.root('killall appvm-proxy')
        d.wait('--max-windows', '0')

    @unittest.skipIf(not glob.glob('/usr/lib/*/libgallium-*.so'), 'no Mesa here to draw as a GPU')
    def test_4_a_gpu_reads_an_arena_where_it_lies_or_its_mapping(self):
        d = self.d
        console = d.gui.console
        d.draw_with_a_gpu(ISTHMUS_RELAY='/usr/bin/isthmus-test-dmabuf')
        console.wait('is read by the GPU where it lies')
        self.told('an arena was imported')
        # That dma-buf is other memory, in the first window's colour.
        console.wait('is mapped: the GPU reads something else there')
        d.wait('--windows', '2')
        d.until_colors('content', lambda colors: colors.get(BROWN, 0) == 256 * 256 and colors.get(GREEN, 0) > 1000)
        self.told('and its pixels are on the screen, beside those of one that was refused')
        d.stop()


if __name__ == '__main__':
    desktop.main(machines.missing())

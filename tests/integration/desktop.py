# SPDX-License-Identifier: Apache-2.0
"""A real desktop for tests: guivm-server on a headless output, real relays, real proxies.

Everything waits for events: guivmctl wait returns as soon as what it waits for holds. Outer limits are nets
against hanging only.
"""
import ctypes
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

BUILD = os.environ['ISTHMUS_BUILD']
SOURCE = os.environ['ISTHMUS_SOURCE']
LIMIT_S = 60


def build_option(name):
    with open(f'{BUILD}/meson-info/intro-buildoptions.json') as file:
        return next(option['value'] for option in json.load(file) if option['name'] == name)


# In what a program says, ours or not: it may have ended by a signal before that was seen.
SANITIZERS_FINDING = r'ERROR: \w+Sanitizer|runtime error: '
SANITIZED = 'address' in build_option('b_sanitize')

VMS = {
    'work': '#1b7f3b',
    'personal': '#2a5bd7',
    'untrusted': '#b3261e',
}

APPLICATIONS = [
    {'name': 'Terminal', 'exec': ['foot', '-W', '60x12']},
    {'name': 'Shm', 'exec': ['weston-simple-shm']},
    {'name': 'Flower', 'exec': ['weston-flower']},
    {'name': 'Smoke', 'exec': ['weston-smoke']},
    {'name': 'Subsurfaces', 'exec': ['weston-subsurfaces']},
    {'name': 'Damage', 'exec': ['weston-simple-damage']},
    {'name': 'Gtk4', 'exec': ['gtk4-demo']},
    {'name': 'Missing', 'exec': ['/nonexistent/program']},
]


def rgb(color):
    return tuple(int(color[i:i + 2], 16) for i in (1, 3, 5))


class Image:
    """A PNG, read by cairo; pixels are (red, green, blue)."""

    def __init__(self, path):
        cairo = ctypes.CDLL('libcairo.so.2')
        cairo.cairo_image_surface_create_from_png.restype = ctypes.c_void_p
        cairo.cairo_image_surface_get_data.restype = ctypes.POINTER(ctypes.c_ubyte)
        surface = ctypes.c_void_p(cairo.cairo_image_surface_create_from_png(path.encode()))
        if cairo.cairo_surface_status(surface) != 0:
            raise AssertionError(f'{path}: not a PNG')
        self.width = cairo.cairo_image_surface_get_width(surface)
        self.height = cairo.cairo_image_surface_get_height(surface)
        self.stride = cairo.cairo_image_surface_get_stride(surface)
        data = cairo.cairo_image_surface_get_data(surface)
        self.data = ctypes.string_at(data, self.stride * self.height)
        cairo.cairo_surface_destroy(surface)

    def pixel(self, x, y):
        offset = y * self.stride + x * 4
        blue, green, red = self.data[offset:offset + 3]
        return red, green, blue

    def colors(self, box):
        """How often each colour stands in (x, y, width, height)."""
        x, y, width, height = box
        found = {}
        for row in range(y, y + height):
            line = self.data[row * self.stride + x * 4:row * self.stride + (x + width) * 4]
            for i in range(0, len(line), 4):
                color = (line[i + 2], line[i + 1], line[i])
                found[color] = found.get(color, 0) + 1
        return found


class Window:
    def __init__(self, fields):
        self.__dict__.update(fields)

    @property
    def box(self):
        return self.x, self.y, self.width, self.height

    def __repr__(self):
        return f'<{self.vm}:{self.app_id} {self.box}>'


class Input:
    """A virtual pointer and keyboard."""

    def __init__(self, desktop):
        width, height = desktop.size
        self.at = 0, 0
        self.process = subprocess.Popen(
            [f'{BUILD}/tests/integration/isthmus-test-input', str(width), str(height)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=desktop.env, text=True)
        assert self.process.stdout.readline() == 'ready\n'

    def line(self, text):
        self.process.stdin.write(text + '\n')
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer == 'ok\n', f'{text}: {answer!r}'

    def move(self, x, y):
        self.at = int(x), int(y)
        self.line(f'move {int(x)} {int(y)}')

    def click(self, x, y, button=272):
        self.move(x, y)
        self.line(f'button {button} 1')
        self.line(f'button {button} 0')

    def drag(self, x1, y1, x2, y2):
        self.move(x1, y1)
        self.line('button 272 1')
        self.move((x1 + x2) // 2, (y1 + y2) // 2)
        self.move(x2, y2)
        self.line('button 272 0')

    def type(self, text):
        self.line(f'type {text}')

    def enter(self):
        self.line('enter')

    def chord(self, mods, key):
        """mods: 1 shift, 4 control, 8 alt, 64 super; key: evdev code."""
        modifier_keys = {1: 42, 4: 29, 8: 56, 64: 125}
        held = [code for bit, code in modifier_keys.items() if mods & bit]
        for code in held:
            self.line(f'key {code} 1')
        self.line(f'mods {mods}')
        self.line(f'key {key} 1')
        self.line(f'key {key} 0')
        for code in reversed(held):
            self.line(f'key {code} 0')
        self.line('mods 0')

    def close(self):
        self.process.stdin.close()
        self.process.wait(LIMIT_S)
        self.process.stdout.close()


class Touchscreen:
    """Fingers on the screen of isthmus-test-touchscreen."""

    def __init__(self, desktop):
        self.size = desktop.size
        self.socket, self.other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    def line(self, text):
        self.socket.send(text.encode())
        assert self.socket.recv(16) == b'ok\n', text

    def place(self, x, y):
        return f'{x * 1000000 / self.size[0]} {y * 1000000 / self.size[1]}'

    def down(self, finger, x, y):
        self.line(f'down {finger} {self.place(x, y)}')

    def motion(self, finger, x, y):
        self.line(f'motion {finger} {self.place(x, y)}')

    def up(self, finger):
        self.line(f'up {finger}')

    def close(self):
        self.socket.close()
        self.other.close()


class Desktop:
    """Use as a context manager. vms: name to colour. options: extra fields of each VM. touch: with a
    touch screen, which is then in self.touch."""

    def __init__(self, vms=None, size=(1280, 720), transport='local', suffix='', guivm=None,
                 options=None, outputs=1, refresh=60, touch=False):
        self.vms = dict(VMS if vms is None else vms)
        self.size = size
        self.transport = transport
        self.suffix = suffix
        self.guivm = guivm or {}
        self.options = options or {}
        self.outputs = outputs
        self.refresh = refresh
        self.proxies = {}
        self.memories = set()
        self.server = None
        self.pointer = None
        self.touch = Touchscreen(self) if touch else None

    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix='isthmus-test-')
        self.log_path = f'{self.dir}/log'
        self.log = open(self.log_path, 'wb')
        self.vmset = f'{self.dir}/vmset.json'
        self.write_vmset()
        os.mkdir(f'{self.dir}/runtime', 0o700)
        self.base_env = dict(
            os.environ, XDG_RUNTIME_DIR=f'{self.dir}/runtime', WLR_BACKENDS='headless',
            WLR_RENDERER='pixman', WLR_LIBINPUT_NO_DEVICES='1',
            WLR_HEADLESS_OUTPUTS=str(self.outputs), HOME=self.dir, XDG_CACHE_HOME=f'{self.dir}/cache',
            ISTHMUS_RELAY=f'{BUILD}/guivm-server/relay/guivm-relay', GTK_A11Y='none',
            GSETTINGS_BACKEND='memory', LC_ALL='C.UTF-8')
        self.base_env.pop('WAYLAND_DISPLAY', None)
        self.base_env.pop('DISPLAY', None)
        try:
            self.start_server()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def spec(self, vm):
        if self.transport == 'stream':
            return f'stream:unix:{self.dir}/{vm}.sock'
        if self.transport == 'kvm':
            # The compositor takes memory on tmpfs alone.
            path = f'/dev/shm/{os.path.basename(self.dir)}-{vm}'
            with open(path, 'ab') as file:
                file.truncate(64 << 20)
            self.memories.add(path)
            return f'kvm:mem=file:{path},bell=unix:{self.dir}/{vm}.bell'
        return f'local:{self.dir}/{vm}{self.suffix}'

    def write_vmset(self):
        vms = {}
        for name, color in self.vms.items():
            vms[name] = {'label': name.capitalize(), 'color': color, 'transport': self.spec(name),
                         'applications': APPLICATIONS, **self.options.get(name, {})}
            vms[name]['transport'] = vms[name]['transport'].replace('@DIR@', self.dir)
        with open(self.vmset, 'w') as file:
            json.dump({'version': 1, 'guivm': self.guivm, 'vms': vms}, file)

    def start_server(self):
        read_end, write_end = os.pipe()
        program, env, fds = f'{BUILD}/guivm-server/guivm-server', self.base_env, [write_end]
        if self.touch is not None:
            program = f'{BUILD}/tests/integration/isthmus-test-touchscreen'
            fds.append(self.touch.other.fileno())
            env = dict(env, ISTHMUS_TEST_TOUCHSCREEN=str(fds[-1]))
        self.server = subprocess.Popen(
            [program, '--vmset', self.vmset, '--ready-fd', str(write_end)],
            env=env, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, pass_fds=fds)
        os.close(write_end)
        with os.fdopen(read_end) as ready:
            ready.readline()
        assert self.server.poll() is None, f'guivm-server ended\n{self.log_text()}'
        sockets = [name for name in os.listdir(f'{self.dir}/runtime')
                   if name.startswith('wayland-') and not name.endswith('.lock')]
        assert len(sockets) == 1, sockets
        self.env = dict(self.base_env, WAYLAND_DISPLAY=sockets[0])
        if (*self.size, self.refresh) != (1280, 720, 60):
            subprocess.run(['wlr-randr', '--output', 'HEADLESS-1', '--custom-mode',
                            f'{self.size[0]}x{self.size[1]}@{self.refresh}'], env=self.env, check=True)

    def log_text(self):
        self.log.flush()
        with open(self.log_path, errors='replace') as file:
            return file.read()

    def ctl(self, *args, check=True):
        result = subprocess.run([f'{BUILD}/control/guivmctl', *args], env=self.env, text=True,
                                capture_output=True, timeout=2 * LIMIT_S)
        if check and result.returncode != 0:
            raise AssertionError(f'guivmctl {" ".join(args)}: {result.stderr}\n{self.log_text()}')
        return result

    def start_proxy(self, vm, wait=True, prefix=()):
        """One VM: appvm-proxy, under prefix, in a runtime directory of its own."""
        runtime = f'{self.dir}/appvm-{vm}'
        os.makedirs(runtime, 0o700, exist_ok=True)
        env = dict(self.base_env, XDG_RUNTIME_DIR=runtime)
        self.proxies[vm] = subprocess.Popen(
            [*prefix, f'{BUILD}/appvm-proxy/appvm-proxy', '--vmset', self.vmset, '--vm', vm],
            env=env, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            start_new_session=True)
        if wait:
            self.wait('--vm', f'{vm}=running')
        return self.proxies[vm]

    def start_proxies(self):
        for vm in self.vms:
            self.start_proxy(vm, wait=False)
        for vm in self.vms:
            self.wait('--vm', f'{vm}=running')

    def stop_proxy(self, vm, number=signal.SIGTERM):
        process = self.proxies.pop(vm)
        process.send_signal(number)
        process.wait(LIMIT_S)
        # What it started is in its session.
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def wait(self, *args):
        self.ctl('wait', *args, '--timeout', str(LIMIT_S))

    def wait_gone(self, number):
        """Until at most that many windows are left."""
        self.wait('--max-windows', str(number))

    def launch(self, vm, application):
        """Starts it and waits for its window."""
        before = {window.id for window in self.windows()}
        self.ctl('launch', vm, application)
        self.wait('--windows', str(len(before) + 1))
        new = [window for window in self.windows() if window.id not in before]
        assert len(new) == 1, new
        return new[0]

    def status(self):
        return json.loads(self.ctl('status', '--json').stdout)

    def vm_status(self, vm):
        return next(entry for entry in self.status()['vms'] if entry['name'] == vm)

    def windows(self):
        return [Window(fields) for fields in json.loads(self.ctl('windows', '--json').stdout)]

    def window(self, number):
        return next(window for window in self.windows() if window.id == number)

    def screenshot(self, name='screenshot.png'):
        path = f'{self.dir}/{name}'
        self.ctl('screenshot', path)
        kept = os.environ.get('ISTHMUS_KEEP_SCREENSHOTS')
        if kept:
            shutil.copy(path, kept)
        return Image(path)

    def until(self, what, holds):
        """For what no event reports (pixels, /proc): looks again after every new frame or 20 ms."""
        end = time.monotonic() + LIMIT_S
        while True:
            result = holds()
            if result:
                return result
            if time.monotonic() > end:
                raise AssertionError(f'{what}: not within {LIMIT_S} s\n{self.log_text()}')
            select_wait(0.02)

    @property
    def input(self):
        if self.pointer is None:
            self.pointer = Input(self)
        return self.pointer

    def __exit__(self, kind, value, traceback):
        if self.pointer is not None:
            self.pointer.close()
        for vm in list(self.proxies):
            self.stop_proxy(vm)
        if self.server is not None and self.server.poll() is None:
            self.server.terminate()
            try:
                self.server.wait(LIMIT_S)
            except subprocess.TimeoutExpired:
                self.server.kill()
                self.server.wait()
                raise AssertionError('guivm-server did not end') from None
        if self.touch is not None:
            self.touch.close()
        status = self.server.returncode if self.server is not None else None
        text = self.log_text()
        self.log.close()
        if kind is not None:
            print('# log of the desktop:\n' + text, file=sys.stderr)
        if not os.environ.get('ISTHMUS_KEEP_DESKTOP'):
            shutil.rmtree(self.dir, ignore_errors=True)
            for path in self.memories:
                os.unlink(path)
        if kind is None:
            assert status == 0, f'guivm-server ended with {status}\n{text}'
            assert re.search(SANITIZERS_FINDING, text) is None, text


def select_wait(seconds):
    import select
    select.select([], [], [], seconds)


def fd_count(pid):
    """Open descriptors, without the frames of wlroots' swapchains: these come on demand, up to four an output."""
    count = 0
    for name in os.listdir(f'/proc/{pid}/fd'):
        try:
            count += not os.readlink(f'/proc/{pid}/fd/{name}').startswith('/dev/shm/wlroots-')
        except FileNotFoundError:
            pass
    return count


def resident_kib(pid):
    with open(f'/proc/{pid}/status') as file:
        for line in file:
            if line.startswith('VmRSS:'):
                return int(line.split()[1])
    return 0


def anonymous_kib(pid):
    """Heap and the like, without memory that others share."""
    with open(f'/proc/{pid}/status') as file:
        for line in file:
            if line.startswith('RssAnon:'):
                return int(line.split()[1])
    return 0


def cpu_ticks(pid):
    """CPU time used, in clock ticks."""
    with open(f'/proc/{pid}/stat') as file:
        fields = file.read().rsplit(')', 1)[1].split()
    return int(fields[11]) + int(fields[12])


def wakeups(pid):
    """How often the process went to sleep of itself: an idle one does not wake up."""
    with open(f'/proc/{pid}/status') as file:
        for line in file:
            if line.startswith('voluntary_ctxt_switches:'):
                return int(line.split()[1])
    return 0


class Case(unittest.TestCase):
    def assert_frame(self, image, window, color, border=4):
        """The ring of the VM's colour is whole around the content, on all four sides."""
        x, y, width, height = window.box
        expected = rgb(color)
        for i in range(width):
            self.assertEqual(image.pixel(x + i, y + height), expected, f'below {window} at {i}')
        for j in range(height):
            for k in range(1, border + 1):
                self.assertEqual(image.pixel(x - k, y + j), expected, f'left of {window} at {j}')
                self.assertEqual(image.pixel(x + width + k - 1, y + j), expected,
                                 f'right of {window} at {j}')


class CountingResult(unittest.TextTestResult):
    def startTest(self, test):
        super().startTest(test)
        self.stream.flush()


class Booted(unittest.TestCase):
    """Machines that boot once for all tests of a class: in the order of their names."""

    @classmethod
    def setUpClass(cls):
        cls.start = time.monotonic()

    @classmethod
    def told(cls, what):
        print(f'# {time.monotonic() - cls.start:.1f} s: {what}', flush=True)

    def setUp(self):
        self.addCleanup(self.on_failure)

    def on_failure(self):
        outcome = self._outcome.result
        if any(test is self for test, _ in outcome.failures + outcome.errors):
            print(self.consoles())

    def consoles(self):
        """What the machines said."""
        raise NotImplementedError


def look_into_relays():
    """A relay hides its descriptors and mappings from all who may not trace its user namespace
    (guivm-server/relay/sandbox.c). Who is not root becomes it in one of its own, before relays are started."""
    user, group = os.geteuid(), os.getegid()
    if user == 0:
        return
    os.unshare(os.CLONE_NEWUSER)
    for name, text in ('setgroups', 'deny'), ('uid_map', f'0 {user} 1'), ('gid_map', f'0 {group} 1'):
        with open(f'/proc/self/{name}', 'w') as file:
            file.write(text)


def main(missing=None):
    """Runs the tests of the calling module; ends in the line that scripts/test counts. missing: what is not
    here, without which they cannot run."""
    if missing is not None:
        print(f'1..0 # SKIP {missing} here: run it by scripts/toolbox')
        print('0 passed, 0 failed, 1 skipped')
        sys.exit(77)
    names = [name for name in sys.argv[1:] if not name.startswith('-')]
    module = sys.modules['__main__']
    loader = unittest.defaultTestLoader
    suite = loader.loadTestsFromNames(names, module) if names else loader.loadTestsFromModule(module)
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    for test, reason in result.skipped:
        print(f'# skipped: {test.id()}: {reason}')
    failed = len(result.failures) + len(result.errors)
    passed = result.testsRun - failed - len(result.skipped)
    print(f'{passed} passed, {failed} failed, {len(result.skipped)} skipped')
    sys.exit(1 if failed else 0)

# SPDX-License-Identifier: Apache-2.0
"""What is measured: each workload is run with one way at a time and returns its figures."""
import contextlib
import json
import os
import shutil
import subprocess
import sys
import time

from desktop import BUILD, LIMIT_S, select_wait
from ways import Meter, tasks

CLIENT = f'{BUILD}/tests/bench/isthmus-bench-client'
CLIPBOARD = f'{BUILD}/tests/bench/isthmus-bench-clipboard'
PHOTON = f'{BUILD}/tests/bench/isthmus-bench-photon'
FLOOR = f'{BUILD}/tests/bench/isthmus-bench-floor'
CLIPBOARD_BYTES = 100 * 1024 * 1024


def floor(*arguments):
    """What the machine itself takes: see floor.c."""
    return json.loads(subprocess.run([FLOOR, *arguments], capture_output=True, text=True,
                                     check=True, timeout=2 * LIMIT_S).stdout)


# Lines in bursts, as a compiler prints them: the terminal draws while more arrives.
SCROLL = '''
exec 3<>"$1" 4<>"$2"
echo begin >&3; read -r line <&4
i=0
while [ $i -lt "$3" ]; do
    j=0
    while [ $j -lt 10 ]; do
        echo "$i $j: The quick brown fox jumps over the lazy dog and runs away through the field"
        j=$((j + 1))
    done
    sleep 0.004
    i=$((i + 1))
done
echo end >&3; read -r line <&4
'''


class Workload:
    """unit: what one of count is. shown_us: CPU is so little that it is shown in microseconds."""

    unit = 'frame'
    shown_us = False
    plotted = False

    def __init__(self, name, count, short_count):
        self.name = name
        self.count = count
        self.short_count = short_count

    def skip_reason(self):
        return None

    def run(self, way, count):
        raise NotImplementedError


class Load(Workload):
    """A load of isthmus-bench-client."""

    surroundings = contextlib.nullcontext  # of all the processes of a run, by id

    def __init__(self, name, arguments, count, short_count, unit='frame'):
        super().__init__(name, count, short_count)
        self.arguments = arguments
        self.unit = unit
        self.shown_us = unit != 'frame'
        self.plotted = unit == 'frame'

    def run(self, way, count):
        way.start([CLIENT, *self.arguments, '--count', str(count)])
        way.expect('begin')
        groups = way.groups()
        with self.surroundings([pid for pids in groups.values() for pid in pids]):
            meter = Meter(groups)
            way.go_on()
            way.expect('end')
            result = meter.stop(count)
        way.go_on()
        result.update(way.result())
        way.finish()
        return result


class OneCpu:
    """All of a run's processes on one CPU: what is left is what they do, not where the kernel wakes them."""

    def __init__(self, pids):
        self.tasks = [int(task) for pid in pids for task in tasks(pid)]
        self.cpus = os.sched_getaffinity(0)

    def __enter__(self):
        self.set({min(self.cpus)})

    def __exit__(self, *_):
        self.set(self.cpus)

    def set(self, cpus):
        for task in self.tasks:
            try:
                os.sched_setaffinity(task, cpus)
            except ProcessLookupError:
                pass  # a thread or process that has ended


class BusyMachine:
    """One process per CPU that never sleeps."""

    def __init__(self, pids):
        self.burners = []

    def __enter__(self):
        for _ in os.sched_getaffinity(0):
            self.burners.append(subprocess.Popen([sys.executable, '-c', 'while True: pass']))

    def __exit__(self, *_):
        for burner in self.burners:
            burner.kill()
            burner.wait()


class RoundTrips(Load):
    """
    In parts, each beside an echo of its own, of which the middle one counts: where the kernel places processes,
    which is half of the time or more, changes between one run and the next.
    """

    def __init__(self, name, count, short_count, surroundings=contextlib.nullcontext, echo=True):
        super().__init__(name, ['roundtrips'], count, short_count, 'round trip')
        self.surroundings = surroundings
        self.echo = echo

    def run_part(self, way, count):
        echo = {}
        if self.echo:
            with self.surroundings([os.getpid()]):
                echo = floor('echo', '2')
        result = super().run(way, count)
        result.update({f'echo_{figure}': value for figure, value in echo.items()
                       if figure in ('p50_us', 'p99_us')})
        return result

    def run(self, way, count):
        parts = 5 if count > self.short_count else 1
        results = [self.run_part(way, max(1, count // parts)) for _ in range(parts)]
        results.sort(key=lambda result: result['p50_us'] / result.get('echo_p50_us', 1))
        return results[parts // 2]


class Scroll(Workload):
    unit = 'burst of ten lines'

    def run(self, way, count):
        folder = way.desktop.dir
        out, back, script = f'{folder}/scroll-out', f'{folder}/scroll-back', f'{folder}/scroll.sh'
        for path in (out, back):
            if not os.path.exists(path):
                os.mkfifo(path)
        with open(script, 'w') as file:
            file.write(SCROLL)
        with open(os.open(out, os.O_RDWR), 'r') as lines, open(os.open(back, os.O_RDWR), 'w') as go:
            way.start(['foot', '--config=/dev/null', '--window-size-pixels=1200x800', 'sh', script,
                       out, back, str(count)])
            assert lines.readline() == 'begin\n'
            way.desktop.wait('--windows', '1')
            meter = Meter(way.groups())
            start = time.monotonic()
            go.write('\n')
            go.flush()
            assert lines.readline() == 'end\n'
            seconds = time.monotonic() - start
            result = meter.stop(count)
            go.write('\n')
            go.flush()
            way.desktop.wait_gone(0)
            way.finish()
        result.update({'seconds': seconds, 'rate': count / seconds})
        return result


class Animation(Workload):
    """An application that animates all by itself, looked at for count tenths of a second."""

    unit = 'second'

    def __init__(self, name, command, count, short_count, env=None):
        super().__init__(name, count, short_count)
        self.command = command
        self.env = env

    def skip_reason(self):
        if shutil.which(self.command[0]) is None:
            return f'{self.command[0]} is not installed'
        return None

    def run(self, way, count):
        way.start(self.command, self.env)
        way.desktop.wait('--windows', '1')
        select_wait(min(1, count / 10))  # until its start is over
        meter = Meter(way.groups())
        select_wait(count / 10)
        result = meter.stop(count / 10)
        way.stop()
        way.desktop.wait_gone(0)
        return result


class Video(Animation):
    def __init__(self, name, count, short_count):
        super().__init__(name, ['mpv', '--no-config', '--vo=wlshm', '--ao=null', '--loop=inf',
                                '--hwdec=no', 'av://lavfi:testsrc2=size=1280x720:rate=30'],
                         count, short_count)


class Clipboard(Workload):
    """Both ends in one VM. Counted in MiB."""

    unit = 'MiB'
    shown_us = True

    def run(self, way, count):
        d = way.desktop
        size = CLIPBOARD_BYTES if count > 1 else CLIPBOARD_BYTES // 100
        reader = way.companion = type(way)(way.name, d)
        way.start([CLIPBOARD, 'own', str(size)])
        owner_id = self.focus_new_window(d, 1, set())
        d.input.line('key 30 1')
        d.input.line('key 30 0')
        way.expect('begin')
        reader.start([CLIPBOARD, 'read'])
        self.focus_new_window(d, 2, {owner_id})
        reader.expect('begin')
        groups = reader.groups()
        if way.helpers:
            for role, pids in way.groups().items():
                groups[role] = list(dict.fromkeys(groups[role] + pids))
        meter = Meter(groups)
        reader.go_on()
        reader.expect('end')
        result = meter.stop(size / 2**20)
        reader.go_on()
        figures = reader.result()
        assert figures['bytes'] == size, figures
        result.update({'seconds': figures['seconds'], 'rate': size / 2**20 / figures['seconds']})
        reader.finish()
        way.companion = None
        way.stop()
        d.wait_gone(0)
        return result

    @staticmethod
    def focus_new_window(d, number, known):
        d.wait('--windows', str(number))
        window = next(window for window in d.windows() if window.id not in known)
        d.input.click(window.x + 5, window.y + 5)
        return window.id


class Start(Workload):
    """From the start of a process to its first frame on the output."""

    unit = 'start'

    def __init__(self, name, command, count, short_count):
        super().__init__(name, count, short_count)
        self.command = command

    def run_one(self, way):
        d = way.desktop
        if self.command[0] == CLIENT:
            begin = time.monotonic()
            way.start(self.command)
            way.expect('frame')
            seconds = time.monotonic() - begin
            way.finish()
        else:
            # Waits already when the window comes.
            waiter = subprocess.Popen([f'{BUILD}/control/guivmctl', 'wait', '--windows', '1',
                                       '--timeout', str(LIMIT_S)], env=d.env)
            select_wait(0.05)
            begin = time.monotonic()
            way.start(self.command)
            assert waiter.wait(LIMIT_S) == 0
            seconds = time.monotonic() - begin
            way.stop()
        d.wait_gone(0)
        return seconds * 1e6

    def run(self, way, count):
        # What is around the application, such as waypipe, is started with it.
        samples = sorted(self.run_one(way) for _ in range(count))
        return {'p50_us': samples[(count - 1) // 2], 'p95_us': samples[(count - 1) * 95 // 100],
                'p99_us': samples[(count - 1) * 99 // 100],
                'rate': 1e6 / samples[(count - 1) // 2]}


class Photon(Workload):
    unit = 'key'

    def __init__(self, name, count, short_count, surroundings=contextlib.nullcontext):
        super().__init__(name, count, short_count)
        self.surroundings = surroundings

    def run(self, way, count):
        d = way.desktop
        way.start([CLIENT, 'keys', '--size', '640x480', '--count', '1'])
        way.expect('begin')
        d.wait('--windows', '1')
        window = d.windows()[0]
        d.input.click(window.x + 5, window.y + 5)
        groups = way.groups()
        with self.surroundings([pid for pids in groups.values() for pid in pids]):
            meter = Meter(groups)
            figures = json.loads(subprocess.run(
                [PHOTON, str(window.x + 320), str(window.y + 240), str(count)], env=d.env,
                text=True, stdout=subprocess.PIPE, check=True, timeout=2 * LIMIT_S).stdout)
            result = meter.stop(count)
        way.stop()
        d.wait_gone(0)
        result.update(figures)
        return result


# On one output of 3900x2300 at 1000 Hz: the output never is what one waits for.
FAST = [
    Load('full 1600x900', ['frames', '--size', '1600x900'], 600, 10),
    Load('256x256 of 1600x900', ['frames', '--size', '1600x900', '--damage', '256x256'], 600, 10),
    Load('full 3840x2160', ['frames', '--size', '3840x2160'], 200, 3),
    Load('256x256 of 3840x2160', ['frames', '--size', '3840x2160', '--damage', '256x256'], 600, 10),
    Load('ten windows 400x300', ['frames', '--size', '400x300', '--windows', '10'], 2000, 20),
    Load('buffer per frame 1600x900', ['frames', '--size', '1600x900', '--buffer-per-frame'], 300, 5),
    RoundTrips('round trips', 10000, 100),
    RoundTrips('round trips, one CPU', 10000, 100, OneCpu),
    RoundTrips('round trips, busy machine', 5000, 10, BusyMachine, echo=False),
    Load('small requests', ['storm'], 1000000, 10000, 'request'),
]

# On one of 1280x720 at 1000 Hz: looking at the pixels must not cost more than making them.
SMALL = [
    Clipboard('clipboard of 100 MiB', 100, 1),
    Photon('input to photon', 200, 3),
    Photon('input to photon, busy machine', 200, 3, BusyMachine),
    Start('start to first frame', [CLIENT, 'start', '--count', '1', '--size', '640x480'], 20, 1),
    Start('start of foot', ['foot', '--config=/dev/null'], 5, 1),
]

# On one of 1600x1000 at 60 Hz, as applications find it.
APPLICATIONS = [
    Scroll('terminal scrolling', 400, 5),
    Animation('GTK 4 animation', ['gtk4-demo', '--run=spinner'], 30, 1,
              {'GSK_RENDERER': 'cairo'}),
    Animation('weston-smoke', ['weston-smoke'], 30, 1),
    Video('video 1280x720', 40, 1),
]

# The same with direct scan-out forbidden, so that the compositor touches every pixel.
NO_SCANOUT = [
    Load('full 1600x900, no scan-out', ['frames', '--size', '1600x900'], 600, 10),
    Load('256x256, no scan-out', ['frames', '--size', '1600x900', '--damage', '256x256'], 600, 10),
]

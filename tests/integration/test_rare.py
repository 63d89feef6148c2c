# SPDX-License-Identifier: Apache-2.0
"""Protocols that wlroots 0.20 does not have, through a relay in drop-in mode: times of every kind in the
application's own clock to within a millisecond, fifo barriers, ICC profiles there and back."""
import os
import queue
import signal
import subprocess
import tempfile
import threading
import unittest

import desktop
from desktop import BUILD, LIMIT_S, SANITIZED

PROGRAMS = f'{BUILD}/tests/integration'
TOLERANCE_US = 1000


class Lines:
    """A program's, as they come."""

    def __init__(self, process):
        self.process = process
        self.lines = []
        self.queue = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.queue.put(line.rstrip('\n'))
        self.queue.put(None)

    def expect(self, wanted):
        while wanted not in self.lines:
            line = self.queue.get(timeout=LIMIT_S)
            if line is None:
                raise AssertionError(f'ended without "{wanted}": {self.lines[-20:]}')
            self.lines.append(line)

    def starting(self, word):
        """The numbers of the lines that begin so."""
        return [tuple(map(int, line.split()[1:])) for line in self.lines if line.startswith(f'{word} ')]


class Rare(unittest.TestCase):
    def run_chain(self, spec, turns, preload=None):
        """The lines of the compositor and of the application."""
        with tempfile.TemporaryDirectory(prefix='isthmus-test-') as directory:
            spec = spec.replace('@DIR@', directory)
            env = dict(os.environ, XDG_RUNTIME_DIR=directory)
            env.pop('WAYLAND_DISPLAY', None)
            far = dict(env, LD_PRELOAD=preload) if preload else env
            if preload and SANITIZED: # its runtime would come before all others
                far['ASAN_OPTIONS'] = env.get('ASAN_OPTIONS', '') + ':verify_asan_link_order=0'
            started = []

            def start(*words, env=env):
                started.append(subprocess.Popen(words, env=env, stdout=subprocess.PIPE, text=True))
                return Lines(started[-1])
            try:
                compositor = start(f'{PROGRAMS}/isthmus-test-rare-compositor', 'wayland-rare')
                compositor.expect('ready')
                start(f'{BUILD}/guivm-server/relay/guivm-relay', '--transport', spec, '--vm', 'work',
                      '--display', 'wayland-rare')
                application = start(f'{BUILD}/appvm-proxy/appvm-proxy', '--vm', 'work', '--transport', spec,
                                    '--', f'{PROGRAMS}/isthmus-test-rare', str(turns), env=far)
                application.expect('done')
                for _ in range(turns):
                    compositor.lines.append(compositor.queue.get(timeout=LIMIT_S))
                while compositor.lines.count('commit') < turns:
                    compositor.lines.append(compositor.queue.get(timeout=LIMIT_S))
                return compositor, application
            finally:
                for process in reversed(started):
                    process.terminate()
                    process.wait(LIMIT_S)
                aborted = [process.args for process in started if process.returncode == -signal.SIGABRT]
                self.assertEqual(aborted, [])

    def check(self, spec, turns, preload=None):
        compositor, application = self.run_chain(spec, turns, preload)
        for lines, word in ((application, 'input'), (application, 'presented'), (compositor, 'timed')):
            times = lines.starting(word)
            self.assertGreaterEqual(len(times), turns - 1, word)
            for early_us, late_us in times:
                self.assertLess(early_us, TOLERANCE_US, f'{word}: {times}')
                self.assertLess(late_us, TOLERANCE_US, f'{word}: {times}')
                self.assertGreater(min(early_us, late_us), -60_000_000, f'{word}: {times}')
        for (late_ms,) in application.starting('motion'):
            self.assertLessEqual(late_ms, 1)
            self.assertGreater(late_ms, -60_000)
        return compositor, application

    def test_times_on_one_clock(self):
        self.check('local:@DIR@/work', 20)

    def test_times_on_clocks_that_differ_by_hours_and_drift(self):
        # A millisecond and a half further apart at the end than at the beginning.
        self.check('stream:unix:@DIR@/work', 500, f'{PROGRAMS}/libisthmus-test-shifted-clock.so')

    def test_a_compositor_with_another_clock_tells_times_of_the_one_that_it_names(self):
        _, application = self.check('stream:unix:@DIR@/work', 10)
        self.assertIn('clock 1', application.lines)

    def test_fifo_barriers_keep_their_places_between_commits(self):
        for spec in ('local:@DIR@/work', 'stream:unix:@DIR@/work'):
            with self.subTest(spec):
                compositor, _ = self.run_chain(spec, 5)
                order = [line for line in compositor.lines if line.startswith('fifo') or line == 'commit']
                self.assertEqual(order, ['fifo set', 'fifo wait', 'commit'] * 5)

    def test_a_profile_crosses_both_ways(self):
        for spec in ('local:@DIR@/work', 'local:@DIR@/work,pixels=arena', 'stream:unix:@DIR@/work'):
            with self.subTest(spec):
                compositor, application = self.run_chain(spec, 1)
                sent = next(line for line in application.lines if line.startswith('profile '))
                self.assertIn(sent, compositor.lines)
                self.assertIn('profile came back', application.lines)


if __name__ == '__main__':
    desktop.main()

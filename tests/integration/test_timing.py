# SPDX-License-Identifier: Apache-2.0
"""Commits that wait for the frame before them (fifo-v1) or for a time (commit-timing-v1)."""
import os
import shutil
import subprocess
import unittest

import desktop
from desktop import BUILD, LIMIT_S, VMS, Case, Desktop
from protocol_client import Client, vm_env
from test_clocks import PREFIX

WORK = {'work': VMS['work']}
PROGRAM = f'{BUILD}/tests/integration/isthmus-test-timing'
FRAMES = 20
# What two clocks of a link may differ by.
SLACK_US = 1000


class Timing(Case):
    def shown(self, client):
        """How late each frame was, all of them shown and in order."""
        client.expect('all')
        lines = [line.split() for line in client.close()]
        frames = [line for line in lines if line[0] in ('shown', 'lost')]
        self.assertEqual([line[:2] for line in frames],
                         [['shown', str(i)] for i in range(FRAMES + 1)])
        return [int(line[2]) for line in frames[1:]]

    def check(self, d, vm, prefix=()):
        with Client(d, vm, str(FRAMES), '0', program=PROGRAM, prefix=prefix) as client:
            # No time was asked for: these are times of the clock.
            times = self.shown(client)
            self.assertEqual(times, sorted(set(times)))
        with Client(d, vm, str(FRAMES), '25', program=PROGRAM, prefix=prefix) as client:
            self.assertGreater(min(self.shown(client)), -SLACK_US if vm else 0)

    def test_a_local_program(self):
        with Desktop(vms={}) as d:
            self.check(d, None)

    def test_through_the_bridge(self):
        for transport, suffix in (('local', ''), ('local', ',pixels=arena'), ('stream', '')):
            with self.subTest(f'{transport}{suffix}'), \
                    Desktop(vms=WORK, transport=transport, suffix=suffix) as d:
                d.start_proxies()
                self.check(d, 'work')

    @unittest.skipIf(PREFIX is None, 'no time namespaces here')
    def test_with_clocks_that_differ_by_hours(self):
        with Desktop(vms=WORK, transport='stream') as d:
            d.start_proxy('work', prefix=PREFIX)
            self.check(d, 'work', prefix=PREFIX)

    def test_without_a_screen_frames_go_on(self):
        with Desktop(vms=WORK) as d:
            d.start_proxies()
            subprocess.run(['wlr-randr', '--output', 'HEADLESS-1', '--off'], env=d.env, check=True)
            env = vm_env(d, 'work')
            process = subprocess.Popen([PROGRAM, str(FRAMES), '0'], env=env, text=True,
                                       stdout=subprocess.PIPE)
            try:
                # Each is replaced by the next without having been shown, but for the last.
                self.assertEqual(process.stdout.readline(), 'ready\n')
                d.wait('--windows', '1')
                subprocess.run(['wlr-randr', '--output', 'HEADLESS-1', '--on'], env=d.env, check=True)
                self.assertEqual(process.wait(LIMIT_S), 0)
                self.assertIn(f'shown {FRAMES} ', process.stdout.read())
            finally:
                process.kill()
                process.wait()
                process.stdout.close()

    @unittest.skipIf(shutil.which('weston-simple-timing') is None, 'no weston-simple-timing')
    def test_westons_client_is_never_early(self):
        for vm in (None, 'work'):
            # It shows 110 frames in 1340 refreshes, ten of them 100 apart.
            with self.subTest(vm), Desktop(vms=WORK, refresh=250) as d:
                d.start_proxies()
                env = d.env if vm is None else vm_env(d, vm)
                result = subprocess.run(['weston-simple-timing'], env=dict(env, LC_ALL='C'), text=True,
                                        stdout=subprocess.PIPE, timeout=2 * LIMIT_S, check=True)
                lines = result.stdout.splitlines()
                late_ms = [float(line.split('ms')[0]) for line in lines if 'ms away' in line]
                lost = [line for line in lines if 'discarded' in line]
                # On a slow machine a frame's time may come before the last one was drawn.
                self.assertGreaterEqual(len(late_ms) + len(lost), 110)
                self.assertGreater(len(late_ms), 20)
                self.assertGreater(min(late_ms), -SLACK_US / 1000)


if __name__ == '__main__':
    desktop.main()

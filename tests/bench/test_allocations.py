# SPDX-License-Identifier: Apache-2.0
"""Nothing on the way of a message allocates: not a frame's, not a small request's, in no process of ours."""
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.environ['ISTHMUS_SOURCE'], 'tests/integration'))
import desktop  # noqa: E402
from desktop import BUILD, Case, Desktop  # noqa: E402

from ways import TRANSPORTS, VMS, Way  # noqa: E402
from workloads import CLIENT  # noqa: E402

# Of queues, which double: far less than one for each of 200,000 requests or each read of some thousand.
GROWTH = 64

COUNTER = f'{BUILD}/tests/bench/libisthmus-test-allocations.so'


class CountingDesktop(Desktop):
    """Its proxies and relays count what they allocate."""

    def start_server(self):
        self.counts = f'{self.dir}/allocations'
        os.mkdir(self.counts)
        self.counting = ('env', f'LD_PRELOAD={COUNTER}', f'ISTHMUS_TEST_ALLOCATIONS={self.counts}')
        relay = f'{self.dir}/relay'
        with open(relay, 'w') as file:
            file.write(f'#!/bin/sh\nexec {" ".join(self.counting)} {self.base_env["ISTHMUS_RELAY"]} "$@"\n')
        os.chmod(relay, 0o700)
        self.base_env['ISTHMUS_RELAY'] = relay
        super().start_server()

    def allocations(self, pid):
        with open(f'{self.counts}/{pid}', 'rb') as file:
            return struct.unpack('=Q', file.read())[0]


class Allocations(Case):
    def setUp(self):
        self.desktop = CountingDesktop(vms=VMS, size=(1280, 720), options=TRANSPORTS, refresh=1000)
        self.enterContext(self.desktop)

    def count(self, vm, count, *load):
        """What proxy and relay allocate for count of a load that has run a tenth of that before."""
        d = self.desktop
        way = Way(vm, d)
        way.start([CLIENT, *load, '--count', str(count)])
        way.expect('begin')
        pids = {role: pids[0] for role, pids in way.between.items()}
        before = {role: d.allocations(pid) for role, pid in pids.items()}
        # They count at all: the connection alone has cost some.
        self.assertTrue(all(before.values()), before)
        way.go_on()
        way.expect('end')
        grown = {role: d.allocations(pid) - before[role] for role, pid in pids.items()}
        way.go_on()
        way.result()
        way.finish()
        return grown

    def test_frames_and_requests_allocate_nothing(self):
        d = self.desktop
        for vm in VMS:
            d.start_proxy(vm, prefix=d.counting)
        nothing = {'proxy': 0, 'relay': 0}
        for vm in VMS:
            for load, count in ((['frames', '--size', '400x300'], 300),
                                (['frames', '--size', '400x300', '--damage', '64x64'], 300),
                                (['roundtrips'], 1000)):
                with self.subTest(vm=vm, load=load):
                    self.assertEqual(self.count(vm, count, *load), nothing)
            # A queue that fills up grows; its block is given back when it was idle for a while.
            with self.subTest(vm=vm, load='storm'):
                grown = self.count(vm, 200000, 'storm')
                self.assertLess(max(grown.values()), GROWTH, grown)


if __name__ == '__main__':
    desktop.main()

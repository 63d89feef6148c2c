# SPDX-License-Identifier: Apache-2.0
"""Isthmus and waypipe between the same two domains of an emulated Xen, in one run.

waypipe, which knows sockets only, crosses the same kind of vchan by a bridge at each end (bridge.c). Only ratios
mean anything. One client runs at a time; rounds interleave the ways. What the bridge takes is not counted as waypipe's.
"""
import argparse
import json
import os
import sys

sys.path[:0] = [os.path.join(os.environ['ISTHMUS_SOURCE'], f'tests/{name}') for name in ('xen', 'bench')]
import vms  # noqa: E402 (knows where the others are)
import xen  # noqa: E402 (its folder is known only now)

SIZES = '640x360', '1200x640'  # of a screen of 1280 by 720
WAYS = 'xen', 'waypipe'
BRIDGE_PROGRAM = f'{xen.BUILD}/tests/bench/isthmus-bench-bridge'
BRIDGE = 'pidof isthmus-bench-bridge'  # in dom0 with the process that it forks


class Domain:
    """As vms.Bench knows a machine."""

    def __init__(self, x, name):
        self.x = x
        self.name = name

    def shell(self, command, user='user'):
        return self.x.in_domain(self.name, command, user) if self.name else self.x.shell(command, user)


class Bench(vms.Bench):
    def __init__(self, x, frames):
        super().__init__(x, frames)
        self.app = Domain(x, 'web')
        self.gui = Domain(x, None)

    def start_waypipe(self):
        self.gui.shell('waypipe -s /tmp/waypipe -c none --no-gpu client </dev/null >/dev/null 2>&1 &')
        self.gui.shell('isthmus-bench-bridge connect /tmp/waypipe xen:web:waypipe </dev/null >/dev/null 2>&1 &')
        # Answered once it listens.
        self.app.shell('{ isthmus-bench-bridge listen /tmp/waypipe xen:0:waypipe </dev/null 2>/dev/null & } | head -n 1')

    def machine(self, way):
        return self.app

    def floors(self, samples):
        """None: no port leads from a domain to another."""

    def waypipe_words(self):
        return '-s /tmp/waypipe'

    def groups(self, way):
        server = 'pidof guivm-server'
        if way == 'waypipe':
            return {'application VM': (self.app, vms.WAYPIPE), 'GUI VM': (self.gui, vms.WAYPIPE),
                    'compositor': (self.gui, server), 'bridge there': (self.app, BRIDGE), 'bridge here': (self.gui, BRIDGE)}
        return {'application VM': (self.app, vms.PROXY), 'GUI VM': (self.gui, 'pidof guivm-relay'),
                'compositor': (self.gui, server)}


def measure(args):
    with xen.Xen({'web': {'color': '#b3261e'}}, add=[vms.CLIENT, vms.FLOOR, BRIDGE_PROGRAM, '/usr/bin/waypipe']) as x:
        x.create('web', grants=30000, commands=1)
        x.shell('in-domain web connect', 'root')
        x.wait('--vm', 'web=running')
        samples = {}
        bench = Bench(x, args.frames)
        bench.start_waypipe()
        for number in range(args.rounds):
            turn = number % len(WAYS)
            bench.round(WAYS[turn:] + WAYS[:turn], samples, SIZES)
        return {'samples': samples}


def targets(data):
    """(what, limit, measured, met)"""
    samples = data['samples']
    for size in SIZES:
        ratio = vms.between(samples[size]['waypipe']) / vms.between(samples[size]['xen'])
        yield f'CPU of waypipe\'s, full {size}', '>= 5.0', f'{ratio:.1f}', ratio >= 5
    trips = samples['round trips']
    ratio = vms.median(trips['waypipe'], 'p50_us') / vms.median(trips['xen'], 'p50_us')
    yield 'waypipe\'s round trip of its own', '>= 2.0', f'{ratio:.1f}', ratio >= 2


def main():
    parser = argparse.ArgumentParser(prog='scripts/bench --xen', description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('--rounds', type=int, default=2)
    parser.add_argument('--frames', type=int, default=60)
    parser.add_argument('--json', metavar='FILE', help='write all samples')
    args = parser.parse_args()
    reason = xen.missing()
    if reason is not None:
        sys.exit(f'scripts/bench --xen: {reason} here: run it by scripts/toolbox')
    data = measure(args)
    if args.json:
        with open(args.json, 'w') as file:
            json.dump(data, file, indent=1)
    vms.print_samples(data, SIZES)
    print()
    for size in SIZES:
        runs = data['samples'][size]['waypipe']
        bridge = vms.median(runs, 'bridge there') + vms.median(runs, 'bridge here')
        print(f'{size}: beside it, waypipe\'s bridge: {bridge:.0f} us per frame')
    vms.print_targets(targets(data))


if __name__ == '__main__':
    main()

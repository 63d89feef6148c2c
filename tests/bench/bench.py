# SPDX-License-Identifier: Apache-2.0
"""Native, Isthmus over each transport, and waypipe, side by side on one compositor.

One guivm-server serves everybody; only one measured client runs at a time; rounds interleave the ways, so
that a machine that gets slower or faster does it to all of them. docs/performance.md says what the
figures mean.
"""
import argparse
import json
import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.environ['ISTHMUS_SOURCE'], 'tests/integration'))
from desktop import Desktop  # noqa: E402

import report  # noqa: E402
import scale  # noqa: E402
from ways import TRANSPORTS, VMS, WAYS, Way  # noqa: E402
from workloads import APPLICATIONS, FAST, NO_SCANOUT, SMALL, floor  # noqa: E402

SCALE = 'scale'


def say(text):
    if sys.stderr.isatty():
        print(f'\r{text}\033[K', end='', file=sys.stderr, flush=True)


class Run:
    def __init__(self, args):
        self.args = args
        self.data = {'workloads': {}, 'skipped': {}, 'failed': [], 'scale': None, 'floors': {
            'memcpy 1600x900': [], 'memcpy 3840x2160': [], 'pipeline 1600x900': [],
            'echo 0': [], 'echo 2': []}}

    def wanted(self, workloads):
        chosen = []
        for workload in workloads:
            reason = workload.skip_reason()
            if workload.name not in self.args.workloads:
                continue
            if reason is None:
                chosen.append(workload)
                self.data['workloads'][workload.name] = {way: [] for way in self.args.ways}
            else:
                self.data['skipped'][workload.name] = reason
        return chosen

    def floors(self):
        for what, runs in self.data['floors'].items():
            runs.append(floor(*what.split()))

    def attempt(self, workload, way, count):
        """None for a run that failed: one program's crash must not cost the other figures."""
        try:
            return workload.run(way, count)
        except Exception as error:
            way.abandon()
            if way.desktop.server.poll() is not None:
                raise
            self.data['failed'].append(
                {'workload': workload.name, 'way': way.name, 'error': str(error)})
            # What was left of it must not be in the next one's way.
            way.desktop.wait_gone(0)
            return None

    def on_desktop(self, workloads, size, refresh):
        workloads = self.wanted(workloads)
        if not workloads:
            return
        args = self.args
        with Desktop(vms=VMS, size=size, options=TRANSPORTS, refresh=refresh) as desktop:
            desktop.start_proxies()
            ways = [Way(name, desktop) for name in args.ways]
            for number in range(args.rounds):
                self.floors()
                for workload in workloads:
                    # Another one begins each round: no way always runs in another's wake.
                    turn = number % len(ways)
                    for way in ways[turn:] + ways[:turn]:
                        say(f'round {number + 1}/{args.rounds}: {workload.name}: {way.name}')
                        count = workload.short_count if args.short else workload.count
                        self.data['workloads'][workload.name][way.name].append(
                            self.attempt(workload, way, count))

    def all(self):
        self.on_desktop(FAST, (3900, 2300), 1000)
        self.on_desktop(SMALL, (1280, 720), 1000)
        os.environ['WLR_SCENE_DISABLE_DIRECT_SCANOUT'] = '1'
        self.on_desktop(NO_SCANOUT, (1600, 900), 1000)
        del os.environ['WLR_SCENE_DISABLE_DIRECT_SCANOUT']
        self.on_desktop(APPLICATIONS, (1600, 1000), 60)
        if SCALE in self.args.workloads:
            say(SCALE)
            self.data['scale'] = scale.measure(self.args.short)
        say('')


def parse():
    names = list(report.WORKLOADS) + [SCALE]
    parser = argparse.ArgumentParser(prog='scripts/bench', description=__doc__.split('\n')[0])
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--short', action='store_true',
                        help='a few frames, one round, two ways: only shows that it works')
    parser.add_argument('--way', dest='ways', action='append', choices=WAYS)
    parser.add_argument('--workload', dest='workloads', action='append', choices=names)
    parser.add_argument('--json', metavar='FILE', help='write all samples')
    parser.add_argument('--compare', metavar='OLD.json', help='print changes against an earlier --json')
    parser.add_argument('--plot', metavar='FILE.svg')
    parser.add_argument('--docs', metavar='FILE.md',
                        help='put the table of targets between the marks in this page')
    parser.add_argument('--from-json', metavar='FILE', help='do not measure: print what is in FILE')
    args = parser.parse_args()
    if args.short:
        args.rounds = 1
        args.ways = args.ways or ['native', 'local', 'arena', 'stream']
    args.ways = args.ways or [way for way in WAYS if not way.startswith('waypipe') or
                              shutil.which('waypipe')]
    args.workloads = args.workloads or names
    return args


def main():
    args = parse()
    if args.from_json:
        with open(args.from_json) as file:
            data = json.load(file)
    else:
        run = Run(args)
        data = run.data
        try:
            run.all()
        finally:
            # Also what was measured until something failed.
            if args.json:
                with open(args.json, 'w') as file:
                    json.dump(data, file, indent=1)
    report.print_table(data)
    if all(data['floors'].values()) and not args.short:
        report.print_targets(data)
    failures = [failure for failure in data.get('failed', [])
                if not failure['way'].startswith('waypipe')]
    if args.short:
        # For scripts/test, which counts: each workload that ran over every way is one.
        failed = len({failure['workload'] for failure in failures})
        print(f'{len(data["workloads"]) - failed} passed, {failed} failed, 0 skipped')
    if args.docs:
        report.write_docs(data, args.docs)
    if args.compare:
        with open(args.compare) as file:
            report.print_comparison(json.load(file), data)
    if args.plot:
        report.write_plot(data, args.plot)
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())

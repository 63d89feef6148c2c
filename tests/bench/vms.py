# SPDX-License-Identifier: Apache-2.0
"""Isthmus over each kind of link and waypipe over vsock, between the same virtual machines in one run.

The machines are emulated where KVM does not run them, so that only ratios mean anything. One client runs at
a time; rounds interleave the ways. docs/performance.md says what the figures mean.
"""
import argparse
import json
import os
import socket
import statistics
import sys
import time

sys.path[:0] = [os.path.join(os.environ['ISTHMUS_SOURCE'], 'tests/vm')]
import machines  # noqa: E402 (knows where the others are)
import links  # noqa: E402
from machines import BUILD  # noqa: E402

CLIENT = f'{BUILD}/tests/bench/isthmus-bench-client'
FLOOR = f'{BUILD}/tests/bench/isthmus-bench-floor'
SIZES = '640x360', '1600x900'
SCREEN = 1920, 1080
TRIPS = 300
# The ways, and the machine that each runs in; waypipe has the vsock device of the stream's.
WAYS = {'serial': 'serial', 'doorbell': 'doorbell', 'stream': 'stream', 'waypipe': 'stream'}
COLORS = {'serial': '#b3261e', 'doorbell': '#1b7f3b', 'stream': '#2a5bd7'}
WAYPIPE_PORT = 7000
PROXY = 'pidof appvm-proxy'
WAYPIPE = 'pidof waypipe'


ECHO_PORT = '/dev/virtio-ports/isthmus.echo'
LIMIT_S = 180  # waypipe hangs at times


class Vms(links.Desktop):
    """With one more port between the GUI VM and that of the serial link, for echoes."""

    def prepare(self):
        super().prepare()
        self.forwards.append(links.Forward(self.dir, self.cid('stream'), links.FIRST_CID, WAYPIPE_PORT))

    def gui_link(self, name, slot):
        args, sockets = super().gui_link(name, slot)
        if name == 'serial':
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(f'{self.dir}/echo')
            listener.listen()
            args += self.echo_args(f'fd={listener.fileno()},server=on,wait=off')
            sockets.append(listener)
        return args, sockets

    def app_link(self, name):
        echo = self.echo_args(f'path={self.dir}/echo,reconnect-ms=100') if name == 'serial' else []
        return super().app_link(name) + echo

    @staticmethod
    def echo_args(chardev):
        return ['-chardev', f'socket,id=echo,{chardev}', '-device', 'virtserialport,chardev=echo,name=isthmus.echo']


def cpu_us(machine, pids):
    """CPU time of processes, with all their threads."""
    text = machine.shell(f'for p in $({pids}); do cat /proc/$p/task/*/schedstat; done', 'root')
    return sum(int(line.split()[0]) for line in text.splitlines() if line.strip()) / 1000


class Bench:
    def __init__(self, desktop, frames):
        self.d = desktop
        self.frames = frames

    def start_waypipe(self):
        self.d.gui.shell(f'waypipe --vsock -s {WAYPIPE_PORT} -c none --no-gpu client </dev/null >/dev/null 2>&1 &')

    def machine(self, way):
        """The application VM that the client runs in."""
        return self.d.machines[WAYS[way]]

    def waypipe_words(self):
        """Where waypipe's server finds its client."""
        return f'--vsock -s {links.HOST_CID}:{WAYPIPE_PORT}'

    def groups(self, way):
        """(machine, command that says which processes) by role."""
        app = self.machine(way)
        server = 'pidof guivm-server'
        if way == 'waypipe':
            return {'application VM': (app, WAYPIPE), 'GUI VM': (self.d.gui, WAYPIPE), 'compositor': (self.d.gui, server)}
        status = json.loads(self.d.ctl('status', '--json'))
        relay = next(vm['relay_pid'] for vm in status['vms'] if vm['name'] == way)
        return {'application VM': (app, PROXY), 'GUI VM': (self.d.gui, f'echo {relay}'), 'compositor': (self.d.gui, server)}

    def run(self, way, load, arguments, count):
        """The client's figures, and CPU for each of count by role."""
        app = self.machine(way)
        client = f'isthmus-bench-client {load} {arguments} --count {count}'
        if way == 'waypipe':
            client = f'waypipe {self.waypipe_words()} -c none --no-gpu server -- {client}'
        else:
            client = f'WAYLAND_DISPLAY=wayland-isthmus-0 {client}'
        # Somebody has them open all the time, or what was written and not read yet would be lost.
        app.shell('[ -e /tmp/in ] || { mkfifo /tmp/in /tmp/out; tail -f /dev/null <>/tmp/out >/dev/null 2>&1 & }')
        app.shell(f'{client} <>/tmp/in 1<>/tmp/out 2>/tmp/errors &')
        self.expect(app, 'begin')
        groups = self.groups(way)
        before = {role: cpu_us(*group) for role, group in groups.items()}
        app.shell('echo >/tmp/in')
        self.expect(app, 'end')
        result = {role: (cpu_us(*group) - before[role]) / count for role, group in groups.items()}
        app.shell('echo >/tmp/in')
        result.update(json.loads(app.shell('head -n 1 </tmp/out')))
        self.d.wait('--max-windows', '0')
        return result

    def expect(self, app, word):
        line = app.shell(f'timeout {LIMIT_S} head -n 1 </tmp/out || true').strip()
        if line != word:
            raise RuntimeError(f'the client said {line!r} within {LIMIT_S} s, not {word!r}: ' + app.shell('cat /tmp/errors'))

    def memcpy_us(self, way, size):
        """The mean: an emulated machine may count CPU time in ticks, longer than one copy takes."""
        return json.loads(self.machine(way).shell(f'isthmus-bench-floor memcpy {size}'))['mean_us']

    def start_echo(self):
        self.d.gui.shell(f'isthmus-bench-floor far {ECHO_PORT} </dev/null >/dev/null 2>&1 &')

    def echo(self):
        """What a round trip is at least: 8 bytes by as many processes and a port."""
        return json.loads(self.d.machines['serial'].shell(f'isthmus-bench-floor echo {ECHO_PORT}', 'root'))

    def native(self):
        """A client beside the compositor."""
        return json.loads(self.d.gui.shell("printf '\\n\\n' | WAYLAND_DISPLAY=wayland-0 isthmus-bench-client "
                                           f'roundtrips --count {TRIPS} | tail -n 1'))

    def floors(self, samples):
        """What is measured beside the ways."""
        trips = samples.setdefault('round trips', {})
        trips.setdefault('native', []).append(self.native())
        trips.setdefault('echo', []).append(self.echo())

    def round(self, ways, samples, sizes=SIZES):
        self.floors(samples)
        for way in ways:
            for size in sizes:
                sample = self.run(way, 'frames', f'--size {size}', self.frames)
                sample['memcpy'] = self.memcpy_us(way, size)
                samples.setdefault(size, {}).setdefault(way, []).append(sample)
            samples.setdefault('round trips', {}).setdefault(way, []).append(
                self.run(way, 'roundtrips', '', TRIPS))


def median(runs, key):
    return statistics.median(run[key] for run in runs)


def between(runs):
    return median(runs, 'application VM') + median(runs, 'GUI VM')


def print_samples(data, sizes=SIZES):
    print(f'{"CPU per frame, us":26}{"memcpy":>10}{"application VM":>16}{"GUI VM":>10}{"both":>10}{"compositor":>12}'
          f'{"frames/s":>10}')
    for size in sizes:
        for way, runs in data['samples'][size].items():
            print(f'{size:12}{way:14}{median(runs, "memcpy"):10.0f}{median(runs, "application VM"):16.0f}'
                  f'{median(runs, "GUI VM"):10.0f}{between(runs):10.0f}{median(runs, "compositor"):12.0f}'
                  f'{median(runs, "rate"):10.1f}')
    print('\nround trip, us' + ' ' * 19 + f'{"p50":>10}{"p99":>10}')
    for way, runs in data['samples']['round trips'].items():
        print(f'{"":12}{way:21}{median(runs, "p50_us"):10.0f}{median(runs, "p99_us"):10.0f}')


def targets(data):
    """(what, limit, measured, met)"""
    small, full = (data['samples'][size] for size in SIZES)
    trips = data['samples']['round trips']
    yield 'QEMU start to the first window', '<= 30 s', f'{data["start_s"]:.1f} s', data['start_s'] <= 30
    for way in ('serial', 'doorbell'):
        if way not in full:
            continue
        if 'waypipe' in full:
            ratio = between(full['waypipe']) / between(full[way])
            yield f'{way}: CPU of waypipe\'s, full {SIZES[1]}', '>= 5.0', f'{ratio:.1f}', ratio >= 5
            ratio = median(trips['waypipe'], 'p50_us') / median(trips[way], 'p50_us')
            yield f'{way}: waypipe\'s round trip of its own', '>= 2.0', f'{ratio:.2f}', ratio >= 2
        ratio = median(trips[way], 'p50_us') / median(trips['echo'], 'p50_us')
        yield f'{way}: round trip of an echo by as many processes and a port', '<= 1.3', f'{ratio:.2f}', ratio <= 1.3
        cost, limit = median(full[way], 'application VM'), 1.3 * median(full[way], 'memcpy') + 50
        yield f'{way}: proxy per frame {SIZES[1]} (1.3 memcpy + 50 us)', f'<= {limit:.0f} us', f'{cost:.0f} us', cost <= limit
        ratio = median(full[way], 'GUI VM') / median(small[way], 'GUI VM')
        yield f'{way}: relay per frame {SIZES[1]} of {SIZES[0]}', '<= 1.2', f'{ratio:.2f}', ratio <= 1.2


def print_targets(results):
    print(f'\n{"target":60}{"limit":>12}{"measured":>12}')
    for what, limit, measured, met in results:
        print(f'{what:60}{limit:>12}{measured:>12}  {"met" if met else "missed"}')


def measure(args):
    vms = {name: {'color': color, 'applications': [
        {'name': 'Window', 'exec': ['isthmus-bench-client', 'idle', '--size', '640x360', '--count', '1']}]}
        for name, color in COLORS.items()}
    desktop = Vms(vms, {'doorbell': 'doorbell', 'stream': 'stream'}, size=SCREEN,
                  add=[CLIENT, FLOOR, '/usr/bin/waypipe'])
    if args.first:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))  # the machines inherit it
    begin = time.monotonic()
    with desktop as d:
        d.wait('--vm', 'serial=running')
        d.until('an answer to a launch', lambda: d.try_ctl('launch', 'serial', 'Window'))
        d.wait('--windows', '1')
        data = {'start_s': time.monotonic() - begin, 'samples': {}}
        d.machines['serial'].shell('killall isthmus-bench-client', 'root')
        d.wait('--max-windows', '0')
        d.wait('--vm', 'doorbell=running', '--vm', 'stream=running')
        bench = Bench(d, args.frames)
        bench.start_waypipe()
        bench.start_echo()
        for number in range(args.rounds):
            turn = number % len(args.ways)
            bench.round(args.ways[turn:] + args.ways[:turn], data['samples'])
    return data


def main():
    parser = argparse.ArgumentParser(prog='scripts/bench --vms', description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('--rounds', type=int, default=2)
    parser.add_argument('--frames', type=int, default=60)
    parser.add_argument('--way', dest='ways', action='append', choices=WAYS)
    parser.add_argument('--first', action='store_true',
                        help='let the machines go before all else on a busy host; needs privileges')
    parser.add_argument('--json', metavar='FILE', help='write all samples')
    args = parser.parse_args()
    args.ways = args.ways or list(WAYS)
    if not machines.can_run():
        sys.exit('scripts/bench --vms: no QEMU or no kernel here: run it by scripts/toolbox')
    data = measure(args)
    if args.json:
        with open(args.json, 'w') as file:
            json.dump(data, file, indent=1)
    print(f'QEMU start of both to the first window: {data["start_s"]:.1f} s\n')
    print_samples(data)
    print_targets(targets(data))


if __name__ == '__main__':
    main()

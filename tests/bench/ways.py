# SPDX-License-Identifier: Apache-2.0
"""The ways from an application to the compositor, and what the processes on them use up."""
import json
import os
import subprocess
import tempfile
import threading

from desktop import LIMIT_S, resident_kib, select_wait, wakeups

# A run takes seconds. One that hangs is ended, and reported.
RUN_LIMIT_S = 180

WAYS = ['native', 'local', 'arena', 'stream', 'waypipe none', 'waypipe lz4']
VMS = {'local': '#1b7f3b', 'arena': '#2a5bd7', 'stream': '#b3261e'}
TRANSPORTS = {
    'arena': {'transport': 'local:@DIR@/arena,pixels=arena'},
    'stream': {'transport': 'stream:unix:@DIR@/stream.sock'},
}


def tasks(pid):
    try:
        return os.listdir(f'/proc/{pid}/task')
    except (FileNotFoundError, ProcessLookupError):
        return []


def cpu_ns(pid):
    """CPU time of all threads of a process."""
    total = 0
    for task in tasks(pid):
        try:
            with open(f'/proc/{pid}/task/{task}/schedstat') as file:
                total += int(file.read().split()[0])
        except (FileNotFoundError, ProcessLookupError):
            pass
    return total


def children(pid):
    """A process and all that descend from it."""
    found = [pid]
    for task in tasks(pid):
        try:
            with open(f'/proc/{pid}/task/{task}/children') as file:
                for child in file.read().split():
                    found += children(int(child))
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


def is_waypipe(pid):
    try:
        with open(f'/proc/{pid}/comm') as file:
            return file.read().startswith('waypipe')
    except FileNotFoundError:
        return False


def shared_pixels_mib(pid):
    """Pages of arenas that exist: of the regions that the proxy made, not of applications' own memory."""
    total = 0
    counts = False
    try:
        with open(f'/proc/{pid}/smaps') as file:
            for line in file:
                if '-' in line.split(' ', 1)[0]:
                    counts = 'memfd:isthmus-pages' in line
                elif counts and line.startswith('Rss:'):
                    total += int(line.split()[1])
    except (FileNotFoundError, PermissionError):
        pass
    return total / 1024


class Way:
    """How a client reaches the compositor, and which processes are between them."""

    def __init__(self, name, desktop):
        self.name = name
        self.desktop = desktop
        self.helpers = []
        self.process = None
        self.watchdog = None
        self.companion = None  # another Way of the same run

    def start(self, arguments, env=None):
        d = self.desktop
        self.between = {}
        self.errors = tempfile.TemporaryFile()
        if self.name == 'native':
            base, command = d.env, arguments
        elif self.name.startswith('waypipe'):
            compress = self.name.split()[1]
            socket = tempfile.mktemp(prefix='waypipe-', dir=d.dir)
            options = ['waypipe', '-c', compress, '--no-gpu', '--socket', socket]
            near = subprocess.Popen([*options, 'client'], env=d.env, stderr=self.errors)
            self.helpers = [near]
            while not os.path.exists(socket):
                if near.poll() is not None:
                    raise RuntimeError('waypipe ended')
                select_wait(0.01)
            base, command = d.base_env, [*options, 'server', '--', *arguments]
        else:
            runtime = f'{d.dir}/appvm-{self.name}'
            display = next(name for name in os.listdir(runtime)
                           if name.startswith('wayland') and not name.endswith('.lock'))
            base = dict(d.base_env, XDG_RUNTIME_DIR=runtime, WAYLAND_DISPLAY=display)
            command = arguments
            self.between = {'proxy': [d.proxies[self.name].pid],
                            'relay': [d.vm_status(self.name)['relay_pid']]}
        self.process = subprocess.Popen(command, env={**base, **(env or {})},
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.errors, text=True)
        self.watchdog = threading.Timer(RUN_LIMIT_S, self.kill)
        self.watchdog.daemon = True
        self.watchdog.start()

    def said(self):
        """The end of what the processes wrote to their standard error."""
        size = self.errors.seek(0, os.SEEK_END)
        self.errors.seek(max(0, size - 400))
        return self.errors.read().decode(errors='replace').strip()

    def expect(self, word):
        line = self.process.stdout.readline()
        if line != word + '\n':
            raise RuntimeError(f'{word!r} was expected and {line!r} came; {self.said()}')

    def go_on(self):
        self.process.stdin.write('\n')
        self.process.stdin.flush()

    def groups(self):
        """Processes by role; waypipe's are found by descent."""
        groups = dict(self.between)
        groups['compositor'] = [self.desktop.server.pid]
        below = children(self.process.pid)
        if self.helpers:
            groups['proxy'] = [pid for pid in below if is_waypipe(pid)]
            groups['relay'] = children(self.helpers[0].pid)
            groups['application'] = [pid for pid in below if not is_waypipe(pid)]
        else:
            groups['application'] = below
        return groups

    def result(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f'it ended before its figures; {self.said()}')
        return json.loads(line)

    def kill(self):
        """Everything that was started for the application, which may hang."""
        for pid in children(self.process.pid) + [helper.pid for helper in self.helpers]:
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                pass

    def abandon(self):
        """After a failure, in whatever state."""
        if self.companion is not None:
            self.companion.abandon()
            self.companion = None
        if self.process is not None:
            self.kill()
        for helper in self.helpers:
            helper.kill()
        for process in [self.process, *self.helpers]:
            if process is not None:
                process.wait(LIMIT_S)
        if self.watchdog is not None:
            self.watchdog.cancel()
        self.helpers = []
        self.process = None

    def finish(self):
        """Waits for the end of the application."""
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(LIMIT_S)
        self.watchdog.cancel()
        self.errors.close()
        for helper in self.helpers:
            helper.terminate()
            helper.wait(LIMIT_S)
        self.helpers = []

    def stop(self):
        """Ends the application, which does not end of itself."""
        below = children(self.process.pid)
        for pid in [pid for pid in below if not is_waypipe(pid)] or below:
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                pass
        self.finish()


class Meter:
    """CPU time, wake-ups and memory of groups of processes between two moments."""

    def __init__(self, groups):
        self.groups = groups
        self.before = self.read()

    @staticmethod
    def of_live(figure, pid):
        """0 for a process that has ended: waypipe has some for one transfer."""
        try:
            return figure(pid)
        except (FileNotFoundError, ProcessLookupError):
            return 0

    def read(self):
        return {role: (sum(map(cpu_ns, pids)),
                       sum(self.of_live(wakeups, pid) for pid in pids))
                for role, pids in self.groups.items()}

    def stop(self, count):
        """Figures for each of count."""
        after = self.read()
        result = {'cpu_ms': {}, 'wakeups': {}, 'resident_mib': {}}
        for role, pids in self.groups.items():
            cpu, wakes = (b - a for a, b in zip(self.before[role], after[role]))
            result['cpu_ms'][role] = cpu / 1e6 / count
            result['wakeups'][role] = wakes / count
            result['resident_mib'][role] = sum(self.of_live(resident_kib, pid) for pid in pids) / 1024
        between = [role for role in ('proxy', 'relay') if role in self.groups]
        result['between_cpu_ms'] = sum(result['cpu_ms'][role] for role in between)
        result['between_wakeups'] = sum(result['wakeups'][role] for role in between)
        result['total_cpu_ms'] = sum(result['cpu_ms'].values())
        result['total_wakeups'] = sum(result['wakeups'].values())
        if 'proxy' in self.groups:
            result['shared_pixels_mib'] = sum(map(shared_pixels_mib, self.groups['proxy']))
        return result

# SPDX-License-Identifier: Apache-2.0
"""isthmus-test-protocols in a VM or in the GUI VM."""
import os
import subprocess

from desktop import BUILD, LIMIT_S

PROGRAM = f'{BUILD}/tests/integration/isthmus-test-protocols'


def vm_env(desktop, vm):
    runtime = f'{desktop.dir}/appvm-{vm}'
    display = next(name for name in sorted(os.listdir(runtime))
                   if name.startswith('wayland') and not name.endswith('.lock'))
    return dict(desktop.base_env, XDG_RUNTIME_DIR=runtime, WAYLAND_DISPLAY=display)


class Client:
    """Use as a context manager. vm None: a program of the GUI VM."""

    def __init__(self, desktop, vm, *args, prefix=(), program=PROGRAM):
        env = desktop.env if vm is None else vm_env(desktop, vm)
        self.lines = []
        self.process = subprocess.Popen([*prefix, program, *args], env=env, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.expect('ready')

    def next(self):
        # Not select(): the stream may hold lines already.
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f'ended after {self.lines}')
        self.lines.append(line.rstrip('\n'))
        return self.lines[-1]

    def expect(self, start):
        """The rest of the first line that begins so, seen already or yet to come."""
        for line in self.lines:
            if line.startswith(start):
                return line[len(start):].strip()
        while True:
            line = self.next()
            if line.startswith(start):
                return line[len(start):].strip()

    def write(self, line):
        self.process.stdin.write(line + '\n')
        self.process.stdin.flush()

    def kill(self):
        self.process.kill()
        self.close()

    def close(self):
        """Ends it and returns all its lines."""
        if self.process.stdin:
            self.process.stdin.close()
            self.process.stdin = None
            rest = self.process.stdout.read()
            self.lines += rest.splitlines()
            self.process.wait(LIMIT_S)
            self.process.stdout.close()
        return self.lines

    def __enter__(self):
        return self

    def __exit__(self, kind, value, traceback):
        if kind is not None:
            self.process.kill()
        self.close()

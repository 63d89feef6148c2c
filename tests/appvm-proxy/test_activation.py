#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""appvm-proxy under a service manager: the socket it is given, and what it tells. Argument: the program."""
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest

PROGRAM = sys.argv[1] if len(sys.argv) > 1 else ''
TIMEOUT_S = 60
# LISTEN_PID is the process's own id, which only it knows in time.
START = ['sh', '-c', 'LISTEN_PID=$((${OTHER:-0} + $$)) exec "$0" "$@"']
TELL = 'env; for fd in /proc/self/fd/*; do readlink "$fd"; done; true'


class Activation(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.dir)
        self.path = f'{self.dir}/wayland'
        self.env = {'PATH': os.environ['PATH'], 'XDG_RUNTIME_DIR': self.dir}

    def listener(self, kind=socket.SOCK_STREAM, listen=True):
        made = socket.socket(socket.AF_UNIX, kind)
        self.addCleanup(made.close)
        made.bind(self.path)
        if listen:
            made.listen()
        return made

    def run_proxy(self, *sockets, **environment):
        """With the sockets from descriptor 3 on."""
        def place():
            moved = [os.dup2(each.fileno(), 40 + number) for number, each in enumerate(sockets)]
            for number, fd in enumerate(moved):
                os.dup2(fd, 3 + number)
                os.close(fd)
        return subprocess.run(
            [*START, PROGRAM, '--vm', 'test', '--transport', f'local:{self.dir}', '--', 'sh', '-c', TELL],
            env={**self.env, 'LISTEN_FDS': str(len(sockets)), **environment}, capture_output=True, text=True,
            preexec_fn=place, close_fds=False, check=False, timeout=TIMEOUT_S)

    def test_the_socket_it_is_given_is_used_and_stays(self):
        result = self.run_proxy(self.listener())
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn(f'WAYLAND_DISPLAY={self.path}\n', result.stdout)
        self.assertTrue(os.path.exists(self.path))
        self.assertFalse(os.path.exists(f'{self.path}.lock'))

    def test_its_children_get_neither_socket_nor_variables(self):
        result = self.run_proxy(self.listener(), LISTEN_FDNAMES='wayland', NOTIFY_SOCKET=f'{self.dir}/none')
        self.assertNotIn('LISTEN_', result.stdout)
        self.assertNotIn('NOTIFY_SOCKET', result.stdout)
        self.assertNotIn('socket:', result.stdout)

    def test_what_is_meant_for_another_process_is_ignored(self):
        result = self.run_proxy(self.listener(), OTHER='1')
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn('WAYLAND_DISPLAY=wayland-isthmus-0\n', result.stdout)
        self.assertNotIn('LISTEN_', result.stdout)

    def test_other_sockets_are_refused(self):
        tcp = socket.socket()
        tcp.listen()
        self.addCleanup(tcp.close)
        with self.subTest('tcp'):
            self.refused(tcp)
        with self.subTest('a regular file'), open(__file__, 'rb') as file:
            self.refused(file)
        for what, made in {
                'datagrams': {'kind': socket.SOCK_DGRAM, 'listen': False},
                'packets': {'kind': socket.SOCK_SEQPACKET},
                'not listening': {'listen': False},
        }.items():
            with self.subTest(what):
                self.refused(self.listener(**made))
                os.unlink(self.path)

    def test_more_than_one_socket_is_refused(self):
        listener = self.listener()
        self.refused(listener, listener)

    def test_a_count_that_is_none_is_refused(self):
        for count in ('1x', '-1', ' 1', '99999999999999999999'):
            with self.subTest(count):
                self.refused(self.listener(), LISTEN_FDS=count)
                os.unlink(self.path)

    def refused(self, *sockets, **environment):
        result = self.run_proxy(*sockets, **environment)
        self.assertEqual(result.returncode, 1)
        self.assertIn('socket activation', result.stderr)
        self.assertEqual(result.stdout, '')

    def test_the_service_manager_is_told_of_start_and_end(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(f'{self.dir}/notify')
            manager.settimeout(TIMEOUT_S)
            self.assertEqual(self.run_proxy(self.listener(), NOTIFY_SOCKET=f'{self.dir}/notify').returncode, 0)
            self.assertEqual([manager.recv(64), manager.recv(64)], [b'READY=1', b'STOPPING=1'])


if __name__ == '__main__':
    result = unittest.main(argv=sys.argv[:1], exit=False).result
    failed = len(result.failures) + len(result.errors)
    for test, reason in result.skipped:
        print(f'# skipped: {test.id()}: {reason}')
    print(f'{max(0, result.testsRun - failed - len(result.skipped))} passed, {failed} failed, {len(result.skipped)} skipped')
    sys.exit(failed > 0)

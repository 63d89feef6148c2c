# SPDX-License-Identifier: Apache-2.0
"""What scripts/bench --xen gives waypipe as a wire: all bytes arrive, in both directions, connection after connection."""
import os
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, os.path.join(os.environ['ISTHMUS_SOURCE'], 'tests/integration'))
import desktop  # noqa: E402
from desktop import BUILD, LIMIT_S  # noqa: E402

BYTES = 4 << 20  # more than all buffers on the way hold


class Bridge(unittest.TestCase):
    """near: where programs connect. far: where their connections come out."""

    def setUp(self):
        self.dir = self.enterContext(tempfile.TemporaryDirectory(prefix='isthmus-bridge-'))
        self.far = self.enterContext(socket.socket(socket.AF_UNIX))
        self.far.settimeout(LIMIT_S)
        self.far.bind(f'{self.dir}/far')
        self.far.listen()
        self.start('connect', f'{self.dir}/far')
        self.assertEqual(self.start('listen', f'{self.dir}/near').stdout.readline(), b'listening\n')

    def start(self, *words):
        process = self.enterContext(subprocess.Popen(
            [f'{BUILD}/tests/bench/isthmus-bench-bridge', *words, f'local:{self.dir}/link'], stdout=subprocess.PIPE))
        self.addCleanup(process.kill)
        return process

    def connect(self):
        near = self.enterContext(socket.socket(socket.AF_UNIX))
        near.settimeout(LIMIT_S)
        near.connect(f'{self.dir}/near')
        return near

    def accept(self):
        far = self.enterContext(self.far.accept()[0])
        far.settimeout(LIMIT_S)
        return far

    @staticmethod
    def receive(end, size):
        data = bytearray()
        while len(data) < size:
            piece = end.recv(size - len(data))
            if not piece:
                break
            data += piece
        return bytes(data)

    def test_what_is_sent_at_once_arrives(self):
        # As waypipe's server does; Xen's own bridge sleeps over it.
        for number in range(50):
            with self.connect() as near:
                near.sendall(b'%04d' % number)
                with self.accept() as far:
                    self.assertEqual(self.receive(far, 4), b'%04d' % number)
                    far.sendall(b'answer')
                    self.assertEqual(self.receive(near, 6), b'answer')

    def test_both_directions_are_full_at_once(self):
        near, far = self.connect(), None
        data = {name: os.urandom(BYTES) for name in ('near', 'far')}
        near_sender = threading.Thread(target=near.sendall, args=[data['near']])
        near_sender.start()
        far = self.accept()
        far_sender = threading.Thread(target=far.sendall, args=[data['far']])
        far_sender.start()
        received = {}
        reader = threading.Thread(target=lambda: received.update(near=self.receive(near, BYTES)))
        reader.start()
        received['far'] = self.receive(far, BYTES)
        for thread in (near_sender, far_sender, reader):
            thread.join()
        self.assertTrue(received['far'] == data['near'] and received['near'] == data['far'])

    def test_what_was_sent_before_an_end_arrives_before_it(self):
        for sender, receiver in (0, 1), (1, 0):
            near = self.connect()
            near.sendall(b'x')
            ends = near, self.accept()
            self.receive(ends[1], 1)
            data = os.urandom(BYTES)
            thread = threading.Thread(target=lambda: (ends[sender].sendall(data), ends[sender].close()))
            thread.start()
            self.assertTrue(self.receive(ends[receiver], BYTES + 1) == data)
            thread.join()
            ends[receiver].close()

    def test_nobody_at_the_other_side_is_an_end(self):
        self.far.close()
        os.unlink(f'{self.dir}/far')
        self.assertEqual(self.receive(self.connect(), 1), b'')


if __name__ == '__main__':
    desktop.main()

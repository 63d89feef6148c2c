# SPDX-License-Identifier: Apache-2.0
"""Large, endless and abandoned clipboard transfers: bounded memory, nobody delayed, nothing left."""
import desktop
from desktop import BUILD, VMS, Case, Desktop, anonymous_kib, fd_count
from protocol_client import Client

CLIPBOARD = f'{BUILD}/tests/integration/isthmus-test-clipboard'
GIB = 1 << 30
# What queues and windows may hold on the way, in each process.
SLACK_KIB = 16 * 1024

# Many times what a frame takes; a queue of a gibibyte would be seconds.
LATEST_FRAME_US = 500_000


class Flow(Case):
    def setUp(self):
        self.desktop = Desktop(vms={'work': VMS['work']}, transport='stream')
        self.enterContext(self.desktop)
        self.desktop.start_proxies()

    def pids(self):
        d = self.desktop
        return {'proxy': d.proxies['work'].pid, 'relay': d.vm_status('work')['relay_pid'],
                'server': d.server.pid}

    def client(self, *args):
        client = Client(self.desktop, 'work', *args, program=CLIPBOARD)
        self.addCleanup(client.kill)
        return client

    def click_on(self, app_id):
        d = self.desktop
        window = d.until(app_id, lambda: next((w for w in d.windows() if w.app_id == app_id), None))
        d.input.click(window.x + 5, window.y + window.height - 5)

    def pair(self, size):
        source = self.client('source', str(size))
        self.click_on('source')
        source.expect('owner')
        # A new window of the VM that has the keyboard gets it, and the clipboard with it.
        sink = self.client('sink')
        sink.expect('offered')
        return source, sink

    def counts(self):
        return {name: fd_count(pid) for name, pid in self.pids().items()}

    def until_counts(self, expected):
        self.desktop.until(f'no more descriptors than {expected}', lambda: all(
            count <= expected[name] for name, count in self.counts().items()))

    def test_a_gibibyte_takes_little_memory_and_delays_no_frame(self):
        source, sink = self.pair(GIB)
        before = self.counts()
        memory = {name: anonymous_kib(pid) for name, pid in self.pids().items()}
        sink.write('read')
        source.expect('sending')
        with Client(self.desktop, 'work', 'clock') as frames:
            # All of its frames while the transfer goes on.
            frames.expect('presented all')
            waits_us = [-int(line.split()[1]) for line in frames.lines
                        if line.startswith('presented') and 'all' not in line]
            self.assertLess(max(waits_us), LATEST_FRAME_US)
            grown = {name: anonymous_kib(pid) - memory[name] for name, pid in self.pids().items()}
        self.assertTrue(all(kib < SLACK_KIB for kib in grown.values()), grown)
        self.assertEqual(int(sink.expect('received')), GIB)
        self.assertEqual(int(source.expect('sent')), GIB)
        grown = {name: anonymous_kib(pid) - memory[name] for name, pid in self.pids().items()}
        self.assertTrue(all(kib < SLACK_KIB for kib in grown.values()), grown)
        self.until_counts(before)

    def test_a_reader_that_never_reads_stalls_its_own_transfer_alone(self):
        source, sink = self.pair(0)
        before = self.counts()
        memory = {name: anonymous_kib(pid) for name, pid in self.pids().items()}
        sink.write('hold')
        source.expect('sending')
        with Client(self.desktop, 'work', 'clock') as frames:
            frames.expect('presented all')
        grown = {name: anonymous_kib(pid) - memory[name] for name, pid in self.pids().items()}
        self.assertTrue(all(kib < SLACK_KIB for kib in grown.values()), grown)
        # It gives up: the writer is told, at last.
        sink.kill()
        source.expect('refused')
        self.until_counts(before)

    def test_an_application_that_dies_while_it_reads_leaves_nothing(self):
        source, sink = self.pair(0)
        before = self.counts()
        sink.write('die')
        source.expect('refused')
        self.until_counts(before)

    def test_a_writer_that_dies_ends_the_transfer(self):
        source, sink = self.pair(0)
        before = self.counts()
        sink.write('read')
        source.expect('sending')
        source.kill()
        self.assertGreaterEqual(int(sink.expect('received')), 0)
        self.until_counts(before)


if __name__ == '__main__':
    desktop.main()

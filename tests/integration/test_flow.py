# SPDX-License-Identifier: Apache-2.0
"""Large, endless and abandoned clipboard transfers: bounded memory, nobody delayed, nothing left."""
import signal

import desktop
from desktop import BUILD, VMS, Case, Desktop, anonymous_kib, fd_count
from protocol_client import Client

CLIPBOARD = f'{BUILD}/tests/integration/isthmus-test-clipboard'
GIB = 1 << 30
# What queues and windows may hold on the way, in each process.
SLACK_KIB = 16 * 1024

# More than all queues together: most of it went through.
ENDLESS_BYTES = 4 << 20

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
            self.counts()[name] <= count for name, count in expected.items()))

    def memory(self):
        return {name: anonymous_kib(pid) for name, pid in self.pids().items()}

    def check_memory(self, before):
        grown = {name: kib - before[name] for name, kib in self.memory().items()}
        self.assertTrue(all(kib < SLACK_KIB for kib in grown.values()), grown)

    def check_frames(self):
        """All frames of another application, while something goes on."""
        with Client(self.desktop, 'work', 'clock') as frames:
            frames.expect('presented all')
            waits_us = [-int(line.split()[1]) for line in frames.lines
                        if line.startswith('presented') and 'all' not in line]
            self.assertLess(max(waits_us), LATEST_FRAME_US)

    def test_a_gibibyte_takes_little_memory_and_delays_no_frame(self):
        source, sink = self.pair(GIB)
        before, memory = self.counts(), self.memory()
        sink.write('read')
        source.expect('sending')
        self.check_frames()
        self.check_memory(memory)
        self.assertEqual(int(sink.expect('received')), GIB)
        self.assertEqual(int(source.expect('sent')), GIB)
        self.check_memory(memory)
        self.until_counts(before)

    def test_a_writer_that_never_ends_is_ended_by_its_reader(self):
        source, sink = self.pair(0)
        before, memory = self.counts(), self.memory()
        for _ in range(2):
            source.lines.clear()
            sink.lines.clear()
            sink.write('read')
            source.expect('sending')
            self.check_frames()
            self.check_memory(memory)
            sink.write('close')
            received = int(sink.expect('closed'))
            written = int(source.expect('refused'))
            # What was under way, in queues and pipes, is all that is lost.
            self.assertGreater(received, ENDLESS_BYTES)
            self.assertLess(written - received, SLACK_KIB * 1024)
            self.until_counts(before)
            self.check_memory(memory)

    def test_a_reader_that_never_reads_stalls_its_own_transfer_alone(self):
        source, sink = self.pair(0)
        before, memory = self.counts(), self.memory()
        for end in (lambda: sink.write('close'), sink.kill):
            source.lines.clear()
            sink.write('hold')
            source.expect('sending')
            self.check_frames()
            self.check_memory(memory)
            # It gives up: the writer is told, at last.
            end()
            self.assertLess(int(source.expect('refused')), SLACK_KIB * 1024)
            self.until_counts(before)
            self.check_memory(memory)

    def test_a_vm_that_goes_in_the_middle_leaves_nothing_in_the_gui_vm(self):
        d = self.desktop
        d.input.move(1, 1)  # it is a program of the GUI VM, too
        idle = {name: fd_count(pid) for name, pid in self.pids().items() if name != 'proxy'}
        for line in ('read', 'hold'):
            source, sink = self.pair(0)
            sink.write(line)
            source.expect('sending')
            d.stop_proxy('work', signal.SIGKILL)
            d.wait_gone(0)
            source.kill()
            sink.kill()
            d.start_proxy('work')
            self.until_counts(idle)

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
    desktop.look_into_relays()
    desktop.main()

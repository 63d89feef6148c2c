# SPDX-License-Identifier: Apache-2.0
"""Times that an application is told are of its own clock, however far that is from the GUI VM's."""
import shutil
import subprocess
import unittest

import desktop
from desktop import VMS, Case, Desktop
from protocol_client import Client

HOURS = 7 * 3600


def time_namespaces():
    """unshare with a shifted CLOCK_MONOTONIC, or None where the kernel does not let us."""
    for words in (['unshare', '-T'], ['unshare', '-Ur', '-T']):
        words += ['--monotonic', str(HOURS)]
        if shutil.which('unshare') and \
                subprocess.run([*words, 'true'], capture_output=True).returncode == 0:
            return words
    return None


PREFIX = time_namespaces()


class Clocks(Case):
    def check_times(self, client):
        client.expect('presented all')
        lines = [line.split() for line in client.close()]
        presented = [line[1:] for line in lines if line[0] == 'presented' and line[1] != 'all']
        frames = [line[1:] for line in lines if line[0] == 'frame']
        self.assertGreaterEqual(len(presented), 20)
        self.assertGreaterEqual(len(frames), 20)
        for early_us, late_us in presented:
            # Not before it was drawn, not after it was told.
            self.assertLess(int(early_us), 1000)
            self.assertLess(int(late_us), 1000)
            self.assertGreater(int(early_us), -60_000_000)
        for early_ms, late_ms in frames:
            self.assertLessEqual(int(early_ms), 1)
            self.assertLessEqual(int(late_ms), 1)
            self.assertGreater(int(early_ms), -60_000)

    def test_one_clock(self):
        with Desktop(vms={'work': VMS['work']}) as d:
            d.start_proxies()
            with Client(d, 'work', 'clock') as client:
                self.check_times(client)

    @unittest.skipIf(PREFIX is None, 'no time namespaces here')
    def test_clocks_that_differ_by_hours(self):
        with Desktop(vms={'work': VMS['work']}, transport='stream') as d:
            d.start_proxy('work', prefix=PREFIX)
            with Client(d, 'work', 'clock', prefix=PREFIX) as client:
                self.check_times(client)


if __name__ == '__main__':
    desktop.main()

# SPDX-License-Identifier: Apache-2.0
"""Hundreds of windows, popups, subsurfaces and buffers come and go: nothing of them is left in any process."""
import os
import subprocess

import desktop
from desktop import BUILD, LIMIT_S, SANITIZED, Case, Desktop, anonymous_kib, fd_count
from protocol_client import vm_env

TORTURE = f'{BUILD}/tests/integration/isthmus-test-torture'
WAYS = {
    'handover': ('#1b7f3b', 'local:@DIR@/handover'),
    'arena': ('#2a5bd7', 'local:@DIR@/arena,pixels=arena'),
    'inline': ('#c9a227', 'stream:unix:@DIR@/inline.sock'),
}
OPERATIONS = 1500
ROUNDS = 4
# What allocators keep. Nine more applications have thousands of surfaces and buffers: a few hundred bytes of
# each left behind are more.
SLACK_KIB = 1024


def mappings(pid):
    """Shared memory of applications that is mapped; not what allocators and libraries do."""
    with open(f'/proc/{pid}/maps') as file:
        return sum('memfd:' in line or '/dev/shm/' in line and 'wlroots-' not in line for line in file)


class Torture(Case):
    def pids(self, d):
        pids = {f'proxy of {vm}': process.pid for vm, process in d.proxies.items()}
        pids.update({f'relay of {entry["name"]}': entry['relay_pid'] for entry in d.status()['vms']})
        return {**pids, 'server': d.server.pid}

    def measure(self, d):
        return {name: (fd_count(pid), mappings(pid)) for name, pid in self.pids(d).items()}

    def memory(self, d):
        return {name: anonymous_kib(pid) for name, pid in self.pids(d).items()}

    def torture(self, d, seed):
        """One application after another in each VM, of all of them at the same time."""
        processes = [subprocess.Popen([TORTURE, str(seed + i), str(OPERATIONS)], env=vm_env(d, vm),
                                      stdout=subprocess.PIPE, text=True) for i, vm in enumerate(WAYS)]
        for process in processes:
            text, _ = process.communicate(timeout=2 * LIMIT_S)
            self.assertEqual(process.returncode, 0, f'seed {seed}')
            self.assertGreater(int(text.split()[0]), 100)
        d.wait_gone(0)

    def until_nothing_is_left(self, d, before):
        """But for one empty arena, which is kept for the next time."""
        def nothing():
            return all(now <= then + 1 for name, counts in self.measure(d).items()
                       for now, then in zip(counts, before[name]))
        d.until(f'no more descriptors and mappings than {before}', nothing)
        d.until('no clients', lambda: all(entry['clients'] == 0 for entry in d.status()['vms']))

    def test_nothing_is_left_of_applications_that_open_and_close_at_random(self):
        first = int(os.environ.get('ISTHMUS_TORTURE_SEED', '1'))
        colors = {vm: color for vm, (color, _) in WAYS.items()}
        options = {vm: {'transport': spec} for vm, (_, spec) in WAYS.items()}
        with Desktop(vms=colors, options=options) as d:
            d.start_proxies()
            before = self.measure(d)
            # What allocators and caches keep, they have after the first time.
            self.torture(d, first)
            self.until_nothing_is_left(d, before)
            memory = self.memory(d)
            for i in range(1, ROUNDS):
                self.torture(d, first + i)
                self.until_nothing_is_left(d, before)
            grown = {name: kib - memory[name] for name, kib in self.memory(d).items()}
            self.assertTrue(SANITIZED or all(kib < SLACK_KIB for kib in grown.values()), grown)


if __name__ == '__main__':
    desktop.look_into_relays()
    desktop.main()

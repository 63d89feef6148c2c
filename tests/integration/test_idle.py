# SPDX-License-Identifier: Apache-2.0
"""An idle desktop wakes up for nothing."""
import desktop
from desktop import VMS, Case, Desktop, cpu_ticks, select_wait, wakeups

OBSERVED_S = 10


class Idle(Case):
    def test_nine_idle_windows_wake_nobody(self):
        with Desktop() as d:
            d.start_proxies()
            for vm in VMS:
                for _ in range(3):
                    d.launch(vm, 'Terminal')
            pids = {'guivm-server': d.server.pid}
            for vm in VMS:
                pids[f'proxy {vm}'] = d.proxies[vm].pid
                pids[f'relay {vm}'] = d.vm_status(vm)['relay_pid']

            def look():
                return {name: (wakeups(pid), cpu_ticks(pid)) for name, pid in pids.items()}

            def quiet_second():
                before = look()
                select_wait(1)
                return look() == before

            # What the start left to do is done when a whole second brings nothing.
            d.until('quiet', quiet_second)
            before = look()
            # This is what is measured, not something that is waited for.
            select_wait(OBSERVED_S)
            self.assertEqual(look(), before)


if __name__ == '__main__':
    desktop.main()

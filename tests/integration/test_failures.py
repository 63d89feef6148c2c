# SPDX-License-Identifier: Apache-2.0
"""Each failure costs its own VM at most, is said, and leaves nothing behind."""
import json
import os
import signal
import subprocess

import desktop
from desktop import BUILD, SANITIZED, VMS, Case, Desktop, anonymous_kib, fd_count


class Failures(Case):
    def test_a_killed_proxy_costs_its_own_windows_and_comes_back(self):
        with Desktop() as d:
            d.start_proxies()
            for vm in VMS:
                d.launch(vm, 'Terminal')
            d.stop_proxy('untrusted', signal.SIGKILL)
            d.wait('--max-windows', '2', '--vm', 'untrusted=stopped')
            self.assertEqual({w.vm for w in d.windows()}, {'work', 'personal'})
            d.start_proxy('untrusted')
            d.launch('untrusted', 'Terminal')
            self.assertEqual(len(d.windows()), 3)

    def test_a_killed_relay_is_replaced_and_the_proxy_finds_it(self):
        with Desktop() as d:
            d.start_proxies()
            for vm in VMS:
                d.launch(vm, 'Terminal')
            before = d.vm_status('work')
            os.kill(before['relay_pid'], signal.SIGKILL)
            d.wait_gone(2)
            d.wait('--vm', 'work=running')
            after = d.vm_status('work')
            self.assertNotEqual(after['relay_pid'], before['relay_pid'])
            self.assertEqual(after['relay_restarts'], before['relay_restarts'] + 1)
            d.launch('work', 'Terminal')
            self.assertEqual(len(d.windows()), 3)

    def test_a_stopped_vm_delays_nobody(self):
        with Desktop() as d:
            d.start_proxies()
            d.launch('untrusted', 'Smoke')
            os.killpg(d.proxies['untrusted'].pid, signal.SIGSTOP)
            d.launch('work', 'Terminal')
            os.killpg(d.proxies['untrusted'].pid, signal.SIGCONT)
            self.assertEqual(len(d.windows()), 2)

    def test_the_proxy_may_come_first(self):
        with Desktop(vms={'work': VMS['work']}) as d:
            d.server.terminate()
            d.server.wait()
            d.start_proxy('work', wait=False)
            d.start_server()
            d.wait('--vm', 'work=running')
            d.launch('work', 'Terminal')

    def test_the_server_may_come_back(self):
        with Desktop(vms={'work': VMS['work']}) as d:
            d.start_proxies()
            d.launch('work', 'Terminal')
            d.server.kill()
            d.server.wait()
            for name in os.listdir(f'{d.dir}/runtime'):
                os.unlink(f'{d.dir}/runtime/{name}')
            d.start_server()
            d.wait('--vm', 'work=running')
            d.launch('work', 'Terminal')

    def test_a_hundred_applications_leave_nothing_behind(self):
        with Desktop(vms={'work': VMS['work']}) as d:
            d.start_proxies()
            env = dict(d.base_env, XDG_RUNTIME_DIR=f'{d.dir}/appvm-work')
            env['WAYLAND_DISPLAY'] = next(
                name for name in os.listdir(env['XDG_RUNTIME_DIR'])
                if name.startswith('wayland') and not name.endswith('.lock'))

            def one():
                subprocess.run(['foot', '-e', 'true'], env=env, stderr=subprocess.DEVNULL, check=True)

            pids = [d.server.pid, d.vm_status('work')['relay_pid'], d.proxies['work'].pid]
            quiet = lambda: d.vm_status('work')['clients'] == 0

            def memory_after(count):
                for _ in range(count):
                    one()
                d.wait_gone(0)
                d.until('no clients', quiet)
                return [anonymous_kib(pid) for pid in pids]

            # Those that end at once may never be seen: the fonts of the first title are no leak.
            shown = subprocess.Popen(['foot', '-e', 'cat'], env=env, stderr=subprocess.DEVNULL)
            d.wait('--windows', '1')
            shown.terminate()
            shown.wait()
            first = memory_after(10)
            before = [fd_count(pid) for pid in pids]
            last = memory_after(100)
            # guivmctl's own connection may still be on its way out of the server, now or then.
            d.until('descriptors are back', lambda: all(
                fd_count(pid) <= count for pid, count in zip(pids, before)))
            if not SANITIZED: # those keep what is given back, and tell leaks themselves
                for kib_last, kib_first in zip(last, first):
                    self.assertLess(kib_last, kib_first + 512)

    def test_a_vm_set_with_errors_starts_nothing_and_names_them_all(self):
        with Desktop(vms={'work': VMS['work']}) as d:
            bad = f'{d.dir}/bad.json'
            with open(bad, 'w') as file:
                json.dump({'version': 1, 'guivm': {'bordr': {}},
                           'vms': {'a b': {'color': 'red', 'transport': 'pigeon:x'}}}, file, indent=1)
            result = subprocess.run([f'{BUILD}/guivm-server/guivm-server', '--vmset', bad],
                                    env=d.base_env, capture_output=True, text=True)
            self.assertEqual(result.returncode, 1)
            for word in ('bordr', 'a b', 'red', 'pigeon'):
                self.assertIn(word, result.stderr)
            self.assertRegex(result.stderr, r'bad\.json:\d+:\d+: ')

    def test_wrong_usage_is_told_from_failure(self):
        programs = ['guivm-server/guivm-server', 'appvm-proxy/appvm-proxy',
                    'guivm-server/relay/guivm-relay', 'launcher/guivm-launcher', 'control/guivmctl']
        for program in programs:
            wrong = subprocess.run([f'{BUILD}/{program}', '--no-such-flag'], capture_output=True, text=True)
            self.assertEqual(wrong.returncode, 2, program)
            self.assertIn('no-such-flag', wrong.stderr)
            for flag in ('--help', '--version'):
                told = subprocess.run([f'{BUILD}/{program}', flag], capture_output=True, text=True)
                self.assertEqual(told.returncode, 0, program)
                self.assertNotEqual(told.stdout, '')

    def test_a_missing_peer_is_said_while_applications_wait(self):
        with Desktop(vms={'work': VMS['work']}) as d:
            process = subprocess.Popen(
                [f'{BUILD}/appvm-proxy/appvm-proxy', '--vm', 'work', '--transport',
                 f'local:{d.dir}/nobody', '--', 'foot', '-e', 'true'],
                env=d.base_env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            line = process.stderr.readline()
            process.terminate()
            process.wait()
            process.stderr.close()
            self.assertIn('no GUI VM at local:', line)

    def test_an_unknown_transport_is_named(self):
        result = subprocess.run([f'{BUILD}/appvm-proxy/appvm-proxy', '--transport', 'pigeon:x', '--vm', 'a'],
                                capture_output=True, text=True)
        self.assertIn(result.returncode, (1, 2))
        self.assertIn('pigeon', result.stderr)


if __name__ == '__main__':
    desktop.look_into_relays()
    desktop.main()

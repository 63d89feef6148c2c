# SPDX-License-Identifier: Apache-2.0
"""In place of waypipe: a relay in front of compositors that we did not write."""
import os
import shutil
import signal
import subprocess
import tempfile

import desktop
from desktop import BUILD, LIMIT_S, Case

COMPOSITORS = {
    'labwc': ['labwc', '-C', '/nonexistent'],
    'weston': ['weston', '--backend=headless', '--socket=wayland-0', '--idle-time=0',
               '--no-config', '--renderer=pixman'],
}


def wait_for_socket(path, process):
    """Until a compositor can be connected to: its socket appears in a directory that is watched."""
    import socket
    end = LIMIT_S * 50
    for _ in range(end):
        if process.poll() is not None:
            return False
        probe = socket.socket(socket.AF_UNIX)
        try:
            probe.connect(path)
            return True
        except OSError:
            desktop.select_wait(0.02)
        finally:
            probe.close()
    return False


class DropIn(Case):
    def run_in_front_of(self, name, spec, command, check):
        if shutil.which(COMPOSITORS[name][0]) is None:
            self.skipTest(f'{name} is not installed')
        with tempfile.TemporaryDirectory(prefix='isthmus-test-') as directory:
            spec = spec.replace('@DIR@', directory)
            runtime = f'{directory}/runtime'
            os.mkdir(runtime, 0o700)
            env = dict(os.environ, XDG_RUNTIME_DIR=runtime, WLR_BACKENDS='headless',
                       WLR_RENDERER='pixman', WLR_LIBINPUT_NO_DEVICES='1', HOME=directory,
                       GTK_A11Y='none', GSETTINGS_BACKEND='memory')
            env.pop('WAYLAND_DISPLAY', None)
            env.pop('DISPLAY', None)
            with open(f'{directory}/log', 'w+') as log:
                started = []
                try:
                    compositor = subprocess.Popen(COMPOSITORS[name], env=env, stdout=log, stderr=log,
                                                  stdin=subprocess.DEVNULL)
                    started.append(compositor)
                    self.assertTrue(wait_for_socket(f'{runtime}/wayland-0', compositor), name)
                    relay = subprocess.Popen(
                        [f'{BUILD}/guivm-server/relay/guivm-relay', '--transport', spec, '--vm', 'work',
                         '--display', 'wayland-0'], env=env, stdout=log, stderr=log)
                    started.append(relay)
                    app = subprocess.run(
                        [f'{BUILD}/appvm-proxy/appvm-proxy', '--vm', 'work', '--transport', spec, '--',
                         *command], env=dict(env, WAYLAND_DEBUG='client'), stdout=log, stderr=subprocess.PIPE,
                        text=True, errors='replace', timeout=LIMIT_S)
                    log.seek(0)
                    check(app, log.read() + app.stderr[-4000:])
                finally:
                    for process in reversed(started):
                        process.send_signal(signal.SIGTERM)
                        try:
                            process.wait(LIMIT_S)
                        except subprocess.TimeoutExpired:
                            process.kill()
                            process.wait()

    def check_ran(self, app, log):
        self.assertEqual(app.returncode, 0, log)

    def test_a_terminal_runs_in_front_of_each_compositor_and_each_transport(self):
        for name in COMPOSITORS:
            for spec in ('local:@DIR@/link', 'local:@DIR@/link,pixels=arena', 'stream:unix:@DIR@/link'):
                # weston headless has no seat, without which foot does not start.
                command = ['foot', '-e', 'true'] if name == 'labwc' else [
                    'sh', '-c', f'yes | {BUILD}/tests/bench/isthmus-bench-client frames --count 5']
                with self.subTest(f'{name} {spec}'):
                    self.run_in_front_of(name, spec, command, self.check_ran)

    def test_the_status_of_the_command_is_the_proxys(self):
        def check(app, log):
            self.assertEqual(app.returncode, 7, log)
        self.run_in_front_of('labwc', 'local:@DIR@/link', ['sh', '-c', 'exit 7'], check)

    def test_a_command_that_is_not_there_is_said(self):
        def check(app, log):
            self.assertEqual(app.returncode, 127, log)
            self.assertIn('/nonexistent', app.stderr)
        self.run_in_front_of('labwc', 'local:@DIR@/link', ['/nonexistent'], check)


if __name__ == '__main__':
    desktop.main()

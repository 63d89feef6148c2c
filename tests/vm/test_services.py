# SPDX-License-Identifier: Apache-2.0
"""The services as they are installed, under systemd in a virtual machine: a GUI VM and, in the same one,
both ways to run appvm-proxy, with links over the machine's own vsock.

In the order of their names: the machine boots once.
"""
import importlib.machinery
import importlib.util
import json
import os
import shutil
import stat
import subprocess
import tempfile
import time

import machines
from machines import BUILD, SOURCE, qemu

import desktop

PREFIX = os.environ['ISTHMUS_PREFIX']
UNITS = '/usr/lib/systemd/system'
USER_UNITS = '/usr/lib/systemd/user'
LIMIT_S = 120
APPLICATIONS = [{'name': 'Shm', 'exec': ['weston-simple-shm']},
                {'name': 'Missing', 'exec': ['/nonexistent/program']}]
VMSET = {'version': 1, 'guivm': {}, 'vms': {
    'system': {'color': '#1b7f3b', 'transport': 'stream:vsock:1:6001', 'applications': APPLICATIONS},
    'session': {'color': '#b3261e', 'transport': 'stream:vsock:1:6002', 'applications': APPLICATIONS},
}}

# What an administrator writes, and the rest of a distribution as far as it is needed.
FILES = {
    '/etc/isthmus/vmset.json': json.dumps(VMSET),
    '/etc/isthmus/guivm-server.env': 'WLR_RENDERER=pixman\nWLR_NO_HARDWARE_CURSORS=1\n',
    '/etc/isthmus/appvm-proxy.env': 'APPVM_PROXY_OPTIONS=--vm system\n',
    '/etc/systemd/user/appvm-proxy.service.d/vm.conf':
        '[Service]\nEnvironmentFile=\nEnvironment="APPVM_PROXY_OPTIONS=--vm session"\n',
    '/etc/systemd/system/guivm-server.service.d/devices.conf':
        '[Unit]\nRequires=isthmus-devices.service\nAfter=isthmus-devices.service\n',
    '/etc/systemd/system/multi-user.target': '[Unit]\nRequires=basic.target\nAfter=basic.target\nAllowIsolate=yes\n',
    '/etc/systemd/system/graphical.target':
        '[Unit]\nRequires=multi-user.target isthmus-commands.service\nAfter=multi-user.target\nAllowIsolate=yes\n',
    '/etc/systemd/system/session.service':
        '[Service]\nUser=user\nEnvironment=XDG_RUNTIME_DIR=/run/user/1000 HOME=/tmp\nDelegate=yes\nType=notify\n'
        'ExecStart=/usr/lib/systemd/systemd --user\n',
    '/start': 'systemd-sysusers\nsystemd-tmpfiles --create 2>/dev/null\n'
              'install -d -m 755 /run/user\ninstall -d -m 700 -o 1000 -g 1000 /run/user/1000\n'
              'systemctl enable --quiet guivm-server.service appvm-proxy.socket\n'
              'exec /usr/lib/systemd/systemd --unit=graphical.target\n',
    '/devices': '',
}


def load_vm_image():
    loader = importlib.machinery.SourceFileLoader('vm_image', f'{SOURCE}/scripts/vm-image')
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader('vm_image', loader))
    loader.exec_module(module)
    return module


def make_image(directory):
    """The GUI VM's base with more of systemd, and what meson installs."""
    image = load_vm_image()
    gui = image.MACHINES['gui']
    machine = {
        'paths': gui['paths'] + [
            '/usr/bin/systemd-run', '/usr/bin/systemd-sysusers', '/usr/bin/systemd-tmpfiles',
            '/usr/bin/weston-simple-shm',
            *(f'{USER_UNITS}/{name}' for name in (
                'app.slice', 'basic.target', 'default.target', 'paths.target', 'session.slice', 'shutdown.target',
                'sockets.target', 'timers.target'))],
        'modules': [*gui['modules'], 'vsock_loopback'],
    }
    base = image.cached_base('services', machine)
    installed = f'{directory}/installed'
    subprocess.run(['meson', 'install', '-C', BUILD, '--no-rebuild', '--quiet', '--strip', '--destdir', installed],
                   check=True)
    overlay = image.Archive(f'{directory}/overlay')
    for folder, _, names in os.walk(installed):
        for name in names:
            path = f'{folder}/{name}'
            if folder.endswith('/bin'):
                image.add_program(overlay, path, path[len(installed):])
            else:
                overlay.add(path, path[len(installed):])
    for place, name in (('/init', 'init'), ('/commands', 'commands'),
                        ('/etc/systemd/system/isthmus-devices.service', 'units/isthmus-devices.service'),
                        ('/etc/systemd/system/isthmus-commands.service', 'units/isthmus-commands.service'),
                        ('/etc/systemd/system.conf', 'units/system.conf')):
        overlay.add(f'{SOURCE}/scripts/vm/{name}', place)
    for place, content in FILES.items():
        overlay.entry(place, stat.S_IFREG | 0o644, content.encode())
    overlay.close()
    with open(f'{directory}/services.cpio', 'wb') as whole:
        for part in (base, f'{directory}/overlay'):
            with open(part, 'rb') as file:
                shutil.copyfileobj(file, whole)
    shutil.copyfile(f'{image.kernel_folder()}/vmlinuz', f'{directory}/vmlinuz')


class Services(desktop.Booted):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.dir = tempfile.mkdtemp(prefix='isthmus-vm-')
        cls.addClassCleanup(shutil.rmtree, cls.dir, True)
        make_image(cls.dir)
        cls.told('the image is made')
        with open(f'{cls.dir}/memory', 'wb') as file:
            file.truncate(2 << 20)
        cls.vm = qemu.Machine('services', cls.dir, 'services', 768, 'systemd.tty.term.console=dumb', [
            '-smp', '2', '-display', 'none', '-device', 'virtio-gpu-pci,xres=800,yres=600',
            '-device', 'virtio-keyboard-pci',
            '-object', f'memory-backend-file,id=mem,share=on,mem-path={cls.dir}/memory,size=2M',
            '-device', 'ivshmem-plain,memdev=mem,addr=0x10', '-chardev', 'null,id=bell',
            '-device', 'virtserialport,chardev=bell,name=isthmus.bell'])
        cls.addClassCleanup(cls.vm.kill)
        cls.root('true')
        cls.told('the machine runs')

    def consoles(self):
        return self.vm.console.text + self.root('dmesg | tail -n 60; systemctl --no-pager --failed')

    @classmethod
    def root(cls, command):
        return cls.vm.shell(command, user='root').strip()

    def desktop(self, command):
        """As the desktop's user, on the desktop."""
        return self.root('setpriv --reuid guivm --regid guivm --init-groups env XDG_RUNTIME_DIR=/run/guivm-server '
                         f'WAYLAND_DISPLAY=wayland-0 {command}')

    def session(self, command):
        """As a user whose service manager runs."""
        return self.vm.shell(f'XDG_RUNTIME_DIR=/run/user/1000 {command}').strip()

    def ask(self, ask, unit, name):
        scope = '--user ' if ask == self.session else ''
        return ask(f'systemctl {scope}show --value --property={name} {unit}')

    def until(self, what, condition):
        end = time.monotonic() + LIMIT_S
        while time.monotonic() < end:
            if condition():
                return
        self.fail(f'no {what}')

    def kill_and_expect_again(self, ask, unit):
        pid = self.ask(ask, unit, 'MainPID')
        restarts = int(self.ask(ask, unit, 'NRestarts'))
        self.root(f'kill -9 {pid}')
        self.until(f'new {unit}', lambda: (self.ask(ask, unit, 'NRestarts'), self.ask(ask, unit, 'ActiveState')) ==
                   (str(restarts + 1), 'active'))
        self.assertNotEqual(self.ask(ask, unit, 'MainPID'), pid)

    def status_of(self, ask, unit):
        pid = self.ask(ask, unit, 'MainPID')
        lines = self.root(f'cat /proc/{pid}/status').splitlines()
        return dict(line.split(':\t', 1) for line in lines if ':\t' in line)

    def expect_sandbox(self, ask, unit):
        status = self.status_of(ask, unit)
        self.assertEqual((status['NoNewPrivs'], status['Seccomp'], status['CapBnd'], status['CapEff']),
                         ('1', '2', '0' * 16, '0' * 16))
        self.assertNotEqual(status['Uid'].split()[0], '0')

    def windows(self, number):
        self.desktop(f'guivmctl wait --windows {number} --max-windows {number} --timeout {LIMIT_S}')

    def test_1_the_desktop_is_started_and_restarted(self):
        self.assertEqual(self.root('systemctl is-active guivm-server.service'), 'active')
        self.expect_sandbox(self.root, 'guivm-server.service')
        self.assertIn('session', self.desktop('guivmctl status'))
        self.kill_and_expect_again(self.root, 'guivm-server.service')
        self.desktop('guivmctl wait --windows 0')
        self.told('the desktop was killed and is back')

    def test_2_links_get_their_devices(self):
        trigger = 'udevadm trigger --settle --action=add --subsystem-match=pci --subsystem-match=virtio-ports'
        self.root(f'{trigger}; {trigger}')
        self.assertEqual(self.root('stat -L -c "%G %a" /dev/virtio-ports/isthmus.bell'), 'isthmus 660')
        device = '/sys/bus/pci/devices/0000:00:10.0'
        self.assertEqual(self.root(f'stat -c "%G %a" {device}/resource2'), 'isthmus 660')
        self.assertEqual(self.root(f'cat {device}/enable'), '1', 'enabled, and counted once')

    def test_3_the_first_client_starts_the_proxy_of_the_system(self):
        self.assertEqual(self.root('systemctl is-active appvm-proxy.socket'), 'active')
        self.assertEqual(self.ask(self.root, 'appvm-proxy.service', 'ActiveState'), 'inactive')
        self.assertEqual(self.root('stat -c "%U %G %a" /run/isthmus/wayland-0'), 'isthmus isthmus 660')
        with self.assertRaises(AssertionError, msg='the user is not in the group'):
            self.vm.shell('WAYLAND_DISPLAY=/run/isthmus/wayland-0 weston-simple-shm')
        self.assertEqual(self.ask(self.root, 'appvm-proxy.service', 'ActiveState'), 'inactive')
        client = ('setpriv --reuid user --regid user --groups isthmus env WAYLAND_DISPLAY=/run/isthmus/wayland-0 '
                  'weston-simple-shm >/dev/null 2>&1 &')
        self.root(client)
        self.windows(1)
        self.told('a client started the proxy and shows its window')
        self.expect_sandbox(self.root, 'appvm-proxy.service')
        self.kill_and_expect_again(self.root, 'appvm-proxy.service')
        self.windows(0)
        self.root(client)
        self.windows(1)
        self.root('systemctl stop appvm-proxy.service')
        self.windows(0)

    def test_4_the_proxy_of_the_system_runs_applications(self):
        self.root('systemctl start appvm-proxy.service')
        self.desktop(f'guivmctl wait --vm system=running --timeout {LIMIT_S}')
        self.desktop('guivmctl launch system Shm')
        self.windows(1)
        self.root('systemctl stop appvm-proxy.service appvm-proxy.socket')
        self.windows(0)
        self.assertEqual(self.root('ls -A /run/isthmus'), '')

    def test_5_the_first_client_starts_the_proxy_of_a_session(self):
        self.root('systemctl start session.service')
        self.session('systemctl --user start appvm-proxy.socket')
        self.assertEqual(self.ask(self.session, 'appvm-proxy.service', 'ActiveState'), 'inactive')
        self.assertIn('WAYLAND_DISPLAY=wayland-isthmus', self.session('systemctl --user show-environment'))
        self.session('WAYLAND_DISPLAY=wayland-isthmus weston-simple-shm >/dev/null 2>&1 &')
        self.windows(1)
        self.told('a client started the proxy of the session and shows its window')
        self.expect_sandbox(self.session, 'appvm-proxy.service')
        self.kill_and_expect_again(self.session, 'appvm-proxy.service')
        self.windows(0)

    def test_6_the_proxy_of_a_session_runs_applications_outside_of_its_sandbox(self):
        self.desktop(f'guivmctl wait --vm session=running --timeout {LIMIT_S}')
        self.desktop('guivmctl launch session Shm')
        self.windows(1)
        pid = self.root('pidof weston-simple-shm')
        self.assertIn('/app.slice/', self.root(f'cat /proc/{pid}/cgroup'))
        status = self.root(f'cat /proc/{pid}/status')
        self.assertIn('NoNewPrivs:\t0', status)
        self.assertIn('Seccomp:\t0', status)
        with self.assertRaisesRegex(AssertionError, 'Missing|ended|status'):
            self.desktop('guivmctl launch session Missing')
        self.root('kill -9 ' + pid)
        self.windows(0)


if __name__ == '__main__':
    desktop.main(machines.missing())

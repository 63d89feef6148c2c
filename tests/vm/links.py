# SPDX-License-Identifier: Apache-2.0
"""Virtual machines that are joined in other ways than by ivshmem-plain and a virtio-serial port.

QEMU's arguments are those of docs/deploy-qemu.md.
"""
import os
import socket
import subprocess
import threading

import machines
from machines import BUILD

import desktop
from qemu import FIRST_SLOT, MIB

HOST_CID = 2
FIRST_CID = 3  # the GUI VM's
FIRST_PORT = 6000
LISTENING = '00010000'
SECOND_SLOT = FIRST_SLOT + 5  # of further memory in the GUI VM
SMALL = 4 * MIB  # holds rings, and no arena
# Larger packets lie in several pieces, since Linux 6.17; vhost-device-vsock 0.3.0 loses them.
VSOCK_CREDIT = 24576
# A connection to a machine that has no vsock driver yet is never answered.
ANSWER_S = 2


def wait_listening(path):
    """Until a unix socket at path can be connected to."""
    while True:
        with open('/proc/net/unix') as file:
            if any(line.split()[-1] == path and line.split()[3] == LISTENING for line in file):
                return
        desktop.select_wait(0.02)


class Forward:
    """Passes connections of one VM to a port of the host on to the same port of another VM."""

    def __init__(self, directory, from_cid, to_cid, port):
        self.target = f'{directory}/host{to_cid}'
        self.port = port
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(f'{directory}/host{from_cid}_{port}')
        self.listener.listen()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            far.settimeout(ANSWER_S)
            answer = b''
            try:
                far.connect(self.target)
                far.sendall(f'CONNECT {self.port}\n'.encode())
                while not answer.endswith(b'\n'):
                    byte = far.recv(1)
                    if not byte:
                        break
                    answer += byte
            except OSError:
                pass
            far.settimeout(None)
            if answer.startswith(b'OK '):
                for ends in ((near, far), (far, near)):
                    threading.Thread(target=self.pump, args=ends, daemon=True).start()
            else:
                far.close()
                threading.Thread(target=self.refuse, args=[near], daemon=True).start()

    @staticmethod
    def refuse(near):
        """Closed with something to read in it, it would end its machine's vsock (vhost-device-vsock 0.3.0)."""
        near.shutdown(socket.SHUT_WR)
        try:
            while near.recv(1 << 16):
                pass
        except OSError:
            pass
        near.close()

    @staticmethod
    def pump(source, sink):
        try:
            while data := source.recv(1 << 18):
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class Desktop(machines.Desktop):
    """kinds: by name of a VM vsock (beside two ivshmem-plain), doorbell, sysfs (the same, with the memory of an
    ivshmem-plain) or stream; others as usual."""

    def __init__(self, vms, kinds, **options):
        super().__init__(vms, **options)
        self.kinds = kinds
        self.servers = []
        self.forwards = []

    def kind(self, name):
        return self.kinds.get(name, 'serial')

    def cid(self, machine):
        return FIRST_CID if machine == 'gui' else FIRST_CID + 1 + list(self.vms).index(machine)

    def port(self, name):
        return FIRST_PORT + list(self.vms).index(name)

    def prepare(self):
        over_vsock = [name for name in self.vms if self.kind(name) in ('vsock', 'stream')]
        if over_vsock:
            self.start_vsock(over_vsock)
        for name in self.vms:
            if self.kind(name) in ('doorbell', 'sysfs'):
                self.start_server(name)
        super().prepare()
        for name in self.vms:
            if self.kind(name) == 'vsock':
                for part, size in (('', SMALL), ('2', self.memory)):
                    with open(f'{self.dir}/{name}.memory{part}', 'wb') as file:
                        file.truncate(size)

    def __exit__(self, kind, value, traceback):
        for server in self.servers:
            server.kill()
            server.wait()
        for forward in self.forwards:
            forward.close()
        super().__exit__(kind, value, traceback)

    def start_vsock(self, names):
        """A machine has one vsock device, however many links use it."""
        words = []
        for machine in ('gui', *names):
            cid = self.cid(machine)
            words += ['--vm', f'guest-cid={cid},socket={self.dir}/vsock{cid},uds-path={self.dir}/host{cid},'
                              f'tx-buffer-size={VSOCK_CREDIT}']
        self.servers.append(subprocess.Popen(['vhost-device-vsock', *words], stdout=subprocess.DEVNULL))
        for name in names:
            self.forwards.append(Forward(self.dir, self.cid(name), FIRST_CID, self.port(name)))

    def start_server(self, name):
        ready, far = os.pipe()
        self.servers.append(subprocess.Popen(
            [f'{BUILD}/ivshmem-server/isthmus-ivshmem-server', '--name', name, '--memory', f'{self.memory // MIB}M',
             '--guivm-socket', f'{self.dir}/{name}.guivm', '--appvm-socket', f'{self.dir}/{name}.appvm',
             '--ready-fd', str(far)], pass_fds=[far]))
        os.close(far)
        with os.fdopen(ready) as file:
            assert file.read() == '\n'

    def transport(self, name, machine):
        address = self.address(name) if machine == 'gui' else f'0000:00:{FIRST_SLOT:02x}.0'
        further = f'0000:00:{self.second_slot(name, machine):02x}.0'
        # The host passes connections on, so it is the other side to both.
        vsock = f'vsock:{HOST_CID}:{self.port(name)}'
        return {
            'serial': lambda: super(Desktop, self).transport(name, machine),
            'vsock': lambda: f'kvm:mem=ivshmem:{address}+ivshmem:{further},bell={vsock}',
            'doorbell': lambda: f'kvm:mem=vfio:{address},bell=doorbell:{address}',
            'sysfs': lambda: f'kvm:mem=ivshmem:{further},bell=doorbell:{address}',
            'stream': lambda: f'stream:{vsock}',
        }[self.kind(name)]()

    def second_slot(self, name, machine):
        return SECOND_SLOT + (list(self.vms).index(name) if machine == 'gui' else 0)

    def devices(self, machine, memory_mib):
        kinds = set(self.kinds.values()) if machine == 'gui' else {self.kind(machine)}
        args = ['-device', 'intel-iommu,intremap=on'] if kinds & {'doorbell', 'sysfs'} else []
        if kinds & {'vsock', 'stream'}:
            path = f'{self.dir}/vsock{self.cid(machine)}'
            wait_listening(path)
            args += ['-object', f'memory-backend-memfd,id=ram,share=on,size={memory_mib}M',
                     '-machine', 'memory-backend=ram', '-chardev', f'socket,id=vsock,path={path}',
                     '-device', 'vhost-user-vsock-pci,chardev=vsock']
        return args

    def link(self, name, slot, side):
        if self.kind(name) == 'stream':
            return []
        second = self.second_slot(name, 'gui' if side == 'guivm' else name)
        bell = ['-chardev', f'socket,id=bell-{name},path={self.dir}/{name}.{side}',
                '-device', f'ivshmem-doorbell,vectors=2,chardev=bell-{name},addr={slot:#x}']
        return {
            'vsock': lambda: self.plain(name, '', slot, SMALL) + self.plain(name, '2', second, self.memory),
            'doorbell': lambda: bell,
            'sysfs': lambda: bell + self.plain(name, '', second, self.memory),
        }[self.kind(name)]()

    def plain(self, name, part, slot, size):
        return ['-object', f'memory-backend-file,id=mem{part}-{name},share=on,size={size},'
                           f'mem-path={self.dir}/{name}.memory{part}',
                '-device', f'ivshmem-plain,memdev=mem{part}-{name},addr={slot:#x}']

    def gui_link(self, name, slot):
        if self.kind(name) == 'serial':
            return super().gui_link(name, slot)
        return self.link(name, slot, 'guivm'), []

    def app_link(self, name):
        if self.kind(name) == 'serial':
            return super().app_link(name)
        return self.link(name, FIRST_SLOT, 'appvm')

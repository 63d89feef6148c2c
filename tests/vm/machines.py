# SPDX-License-Identifier: Apache-2.0
"""Two real virtual machines under QEMU: the GUI VM, which owns its display, and application VMs.

Everything waits for events: lines of the machines' consoles, answers of guivmctl in the GUI VM, QMP.
Outer limits are nets against hanging only.
"""
import glob
import json
import os
import queue
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

BUILD = os.environ['ISTHMUS_BUILD']
SOURCE = os.environ['ISTHMUS_SOURCE']
sys.path.insert(0, f'{SOURCE}/tests/integration')
import desktop  # noqa: E402 (its folder is known only now)
from desktop import Image  # noqa: E402

LIMIT_S = 180
MEMORY = 64 << 20
SIZE = 800, 600
QEMU = ['qemu-system-x86_64', '-accel', 'tcg,thread=multi', '-cpu', 'max', '-M', 'q35', '-nodefaults', '-no-user-config',
        '-display', 'none', '-serial', 'stdio', '-no-reboot']


def can_run():
    return shutil.which('qemu-system-x86_64') is not None and glob.glob('/usr/lib/modules/*/vmlinuz') != []


class Console:
    """A machine's lines, as they come."""

    def __init__(self, name, stream, echo):
        self.name = name
        self.stream = stream
        self.echo = echo
        self.lines = queue.Queue()
        self.text = ''
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        start = time.monotonic()
        for raw in self.stream:
            line = raw.decode(errors='replace').rstrip()
            self.text += f'{time.monotonic() - start:6.1f} {self.name}: {line}\n'
            if self.echo:
                print(f'# {time.monotonic() - start:6.1f} {self.name}: {line}', flush=True)
            self.lines.put(line)
        self.lines.put(None)

    def wait(self, part, limit_s=LIMIT_S):
        end = time.monotonic() + limit_s
        while True:
            try:
                line = self.lines.get(timeout=max(0.01, end - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f'{self.name}: no "{part}" in {limit_s} s\n{self.text}') from None
            if line is None:
                raise AssertionError(f'{self.name}: ended without "{part}"\n{self.text}')
            if part in line:
                return line


class Machine:
    def __init__(self, name, directory, memory_mib, append, args, fds=()):
        self.name = name
        self.dir = directory
        ours, theirs = socket.socketpair()
        ours.settimeout(LIMIT_S)
        self.qmp_file = ours.makefile('rw')
        ours.close()
        image = name if name == 'gui' else 'app'
        self.process = subprocess.Popen(
            [*QEMU, '-name', name, '-m', str(memory_mib), '-kernel', f'{directory}/vmlinuz',
             '-initrd', f'{directory}/{image}.cpio', '-append', f'console=ttyS0 panic=-1 quiet {append}',
             '-chardev', f'socket,id=qmp,fd={theirs.fileno()}', '-mon', 'chardev=qmp,mode=control', *args],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            pass_fds=[theirs.fileno(), *fds])
        theirs.close()
        self.console = Console(name, self.process.stdout, bool(os.environ.get('ISTHMUS_VM_CONSOLE')))
        self.qmp_ready = False

    def qmp(self, command, **arguments):
        if not self.qmp_ready:
            self.qmp_ready = True
            self.qmp_file.readline()
            self.qmp('qmp_capabilities')
        self.qmp_file.write(json.dumps({'execute': command, 'arguments': arguments}) + '\n')
        self.qmp_file.flush()
        while True:
            answer = json.loads(self.qmp_file.readline())
            if 'error' in answer:
                raise AssertionError(f'{self.name}: {command}: {answer["error"]["desc"]}')
            if 'return' in answer:
                return answer['return']

    def kill(self):
        """As kill -9 of QEMU."""
        self.process.kill()
        self.process.wait()
        self.console.thread.join()
        self.process.stdout.close()
        self.qmp_file.close()


class Desktop:
    """vms: name to fields of the VM set. Use as a context manager."""

    def __init__(self, vms):
        self.vms = vms
        self.machines = {}
        self.command_file = None

    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix='isthmus-vm-')
        try:
            self.make_image()
            self.start_gui()
            for name in self.vms:
                self.start_app(name)
            self.gui.console.wait('isthmus: desktop is up')
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, kind, value, traceback):
        for machine in self.machines.values():
            machine.kill()
            if kind is not None:
                print(machine.console.text, file=sys.stderr)
        if self.command_file is not None:
            self.command_file.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def make_image(self):
        vms = {}
        for number, (name, fields) in enumerate(self.vms.items()):
            # The GUI VM has a device and a port for each; an application VM has one of each. The
            # transport is the GUI VM's, so all have the device where the GUI VM has it.
            vms[name] = {**fields, 'transport': f'kvm:mem=ivshmem:0000:00:{16 + number:02x}.0,'
                                                f'bell=serial:/dev/virtio-ports/isthmus.{name}'}
            with open(f'{self.dir}/{name}.memory', 'wb') as file:
                file.truncate(MEMORY)
        with open(f'{self.dir}/vmset.json', 'w') as file:
            json.dump({'version': 1, 'guivm': {}, 'vms': vms}, file)
        subprocess.run([f'{SOURCE}/scripts/vm-image', '--build', BUILD, '--vmset', f'{self.dir}/vmset.json',
                        self.dir], check=True)

    def link_args(self, name, chardev):
        slot = 16 + list(self.vms).index(name)
        return ['-object', f'memory-backend-file,id=mem-{name},share=on,mem-path={self.dir}/{name}.memory,'
                           f'size={MEMORY}',
                '-device', f'ivshmem-plain,memdev=mem-{name},addr={slot:#x}',
                '-chardev', f'socket,id=bell-{name},{chardev}',
                '-device', f'virtserialport,chardev=bell-{name},name=isthmus.{name}']

    def start_gui(self):
        # Sockets are made here, so that it makes no difference who starts first.
        ours, theirs = socket.socketpair()
        ours.settimeout(LIMIT_S)
        if self.command_file is not None:
            self.command_file.close()
        self.command_file = ours.makefile('rw')
        ours.close()
        listeners = {}
        args = ['-smp', '2', '-device', f'virtio-gpu-pci,xres={SIZE[0]},yres={SIZE[1]}',
                '-device', 'virtio-keyboard-pci', '-device', 'virtio-tablet-pci',
                '-device', 'virtio-serial-pci', '-chardev', f'socket,id=command,fd={theirs.fileno()}',
                '-device', 'virtserialport,chardev=command,name=isthmus.command']
        for name in self.vms:
            listeners[name] = socket.socket(socket.AF_UNIX)
            if os.path.exists(f'{self.dir}/{name}.bell'):
                os.unlink(f'{self.dir}/{name}.bell')
            listeners[name].bind(f'{self.dir}/{name}.bell')
            listeners[name].listen()
            args += self.link_args(name, f'fd={listeners[name].fileno()},server=on,wait=off')
        self.machines['gui'] = Machine('gui', self.dir, 768, '', args, [
            theirs.fileno(), *(listener.fileno() for listener in listeners.values())])
        for end in (theirs, *listeners.values()):
            end.close()

    def start_app(self, name):
        self.machines[name] = Machine(name, self.dir, 320, f'vm={name}', [
            '-device', 'virtio-serial-pci', *self.link_args(name, f'path={self.dir}/{name}.bell,reconnect-ms=100')])

    @property
    def gui(self):
        return self.machines['gui']

    def ctl(self, *words):
        return self.run('guivmctl', *words)

    def try_ctl(self, *words):
        try:
            self.ctl(*words)
        except AssertionError:
            return False
        return True

    def run(self, *words):
        """A command in the GUI VM, as the desktop's user."""
        self.command_file.write(' '.join(words) + '\n')
        self.command_file.flush()
        status, _, text = self.command_file.readline().partition(' ')
        if status != 'ok':
            raise AssertionError(f'{" ".join(words)}: {status} {text}\n' + ''.join(
                machine.console.text for machine in self.machines.values()))
        return text

    def wait(self, *words):
        self.ctl('wait', *words, '--timeout', str(LIMIT_S // 2))

    def screenshot(self):
        """What the GUI VM's own screen shows, by QMP."""
        path = f'{self.dir}/screen.png'
        self.gui.qmp('screendump', filename=path, format='png')
        kept = os.environ.get('ISTHMUS_VM_SCREEN')
        if kept:
            shutil.copyfile(path, kept)
        return Image(path)

    def windows(self):
        return [desktop.Window(fields) for fields in json.loads(self.ctl('windows', '--json'))]

    def until_colors(self, what, condition):
        """condition gets how often each colour is on the screen."""
        def look():
            image = self.screenshot()
            return image if condition(image.colors((0, 0, image.width, image.height))) else None
        return self.until(what, look)

    def until(self, what, condition):
        end = time.monotonic() + LIMIT_S // 3
        while time.monotonic() < end:
            result = condition()
            if result:
                return result
        raise AssertionError(f'no {what}')

    def send(self, *events):
        self.gui.qmp('input-send-event', events=list(events))

    def click(self, x, y):
        self.send(*({'type': 'abs', 'data': {'axis': axis, 'value': at * 32767 // size}}
                    for axis, at, size in (('x', x, SIZE[0]), ('y', y, SIZE[1]))))
        for down in (True, False):
            self.send({'type': 'btn', 'data': {'button': 'left', 'down': down}})

    def type(self, *keys):
        for key in keys:
            for down in (True, False):
                self.send({'type': 'key', 'data': {'key': {'type': 'qcode', 'data': key}, 'down': down}})

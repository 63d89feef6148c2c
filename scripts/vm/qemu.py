# SPDX-License-Identifier: Apache-2.0
"""Virtual machines under QEMU: a GUI VM and the application VMs of a VM set. Runs in the toolbox.

Nothing here needs root or KVM. Everything waits for events: lines of the machines' consoles, answers of
programs in them, QMP. Outer limits are nets against hanging only.
"""
import glob
import json
import os
import queue
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

SCRIPTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LIMIT_S = 180
PROBE_S = 10
GUI_MIB = 768
MIB = 1 << 20
PROGRAM = 'qemu-system-x86_64'
MACHINE = ['-M', 'q35', '-nodefaults', '-no-user-config', '-no-reboot']
# Without monitor idle processors sleep; with it those of a machine that has several would wait in a loop.
EMULATED = ['-accel', 'tcg,thread=multi', '-cpu', 'max,-monitor']
# Its processors' counters are the host's own. The kernel takes a busy host for a bad counter and would go over to
# a timer that costs an exit for each look at the clock.
EMULATED_APPEND = 'tsc=reliable'
# A virtual IOMMU remaps no interrupts that the host's kernel raises all by itself.
HARDWARE = ['-accel', 'kvm,kernel-irqchip=split', '-cpu', 'host']
FIRST_SLOT = 16  # of a GUI VM's links; an application VM's own is there too
FIRST_PORT = 24  # of what can be plugged into a GUI VM


def can_run():
    return shutil.which(PROGRAM) is not None and glob.glob('/usr/lib/modules/*/vmlinuz') != []


def accelerator():
    """QEMU's arguments: KVM where a machine was seen to run with it since this one was booted.

    That /dev/kvm opens proves nothing: where it is not the processor's own, machines may stop at once or
    hang. ISTHMUS_VM_ACCEL (kvm or tcg) decides without a look.
    """
    chosen = os.environ.get('ISTHMUS_VM_ACCEL')
    if chosen is None:
        chosen = probed()
    return HARDWARE if chosen == 'kvm' else EMULATED


def gui_processors():
    """One where the host has two: emulated processors that wait for each other are slow beside other machines."""
    return 2 if accelerator() is HARDWARE or (os.cpu_count() or 1) > 2 else 1


def probed():
    if not os.access('/dev/kvm', os.R_OK | os.W_OK):
        return 'tcg'
    with open('/proc/sys/kernel/random/boot_id') as file:
        boot = file.read().strip()
    cache = os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache')
    path = f'{cache}/isthmus-vm-accel'
    try:
        with open(path) as file:
            known, _, answer = file.read().partition(' ')
        if known == boot and answer in ('kvm', 'tcg'):
            return answer
    except FileNotFoundError:
        pass
    answer = 'kvm' if probe_boots() else 'tcg'
    os.makedirs(cache, exist_ok=True)
    with open(f'{path}.{os.getpid()}', 'w') as file:
        file.write(f'{boot} {answer}')
    os.rename(f'{path}.{os.getpid()}', path)
    return answer


def probe_boots():
    with tempfile.TemporaryDirectory(prefix='isthmus-vm-') as directory:
        subprocess.run([f'{SCRIPTS}/vm-image', '--machine', 'probe', directory], check=True)
        try:
            output = subprocess.run(
                [PROGRAM, *MACHINE, *HARDWARE, '-m', '256', '-display', 'none', '-serial', 'stdio',
                 '-kernel', f'{directory}/vmlinuz', '-initrd', f'{directory}/probe.cpio',
                 '-append', 'console=ttyS0 panic=-1 no_timer_check quiet'],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                timeout=PROBE_S, check=False).stdout
        except subprocess.TimeoutExpired:
            return False  # one that stopped stays for ever
    return b'isthmus: this machine runs' in output


class Console:
    """A machine's lines, as they come."""

    def __init__(self, name, stream):
        self.name = name
        self.stream = stream
        self.lines = queue.Queue()
        self.text = ''
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        start = time.monotonic()
        for raw in self.stream:
            line = raw.decode(errors='replace').rstrip()
            line = f'{time.monotonic() - start:6.1f} {self.name}: {line}'
            self.text += line + '\n'
            if os.environ.get('ISTHMUS_VM_CONSOLE'):
                print(f'# {line}', flush=True)
            self.lines.put(line)
        self.lines.put(None)

    def forget(self):
        """What was said until now is not waited for."""
        while not self.lines.empty():
            self.lines.get()

    def wait(self, part, limit_s=LIMIT_S):
        """Until a line has that part; lines before it are not looked at again."""
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
    """A QEMU. It ends when this process does, however that ends."""

    def __init__(self, name, directory, image, memory_mib, append, args, fds=()):
        self.name = name
        if accelerator() is EMULATED:
            append = f'{EMULATED_APPEND} {append}'
        ours, qmp = socket.socketpair()
        self.qmp_file = text_of(ours)
        ours, commands = socket.socketpair()
        self.command_file = text_of(ours)
        self.process = subprocess.Popen(
            ['setpriv', '--pdeathsig', 'KILL', PROGRAM, *MACHINE, *accelerator(), '-name', f'Isthmus {name}',
             '-m', str(memory_mib), '-serial', 'stdio', '-kernel', f'{directory}/vmlinuz',
             '-initrd', f'{directory}/{image}.cpio', '-append', f'console=ttyS0 panic=-1 no_timer_check quiet {append}',
             '-chardev', f'socket,id=qmp,fd={qmp.fileno()}', '-mon', 'chardev=qmp,mode=control',
             '-device', 'virtio-serial-pci,id=ports', '-chardev', f'socket,id=command,fd={commands.fileno()}',
             '-device', 'virtserialport,chardev=command,name=isthmus.command', *args],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            pass_fds=[qmp.fileno(), commands.fileno(), *fds])
        qmp.close()
        commands.close()
        self.console = Console(name, self.process.stdout)
        self.qmp_ready = False
        self.qmp_lock = threading.RLock()

    def qmp(self, command, **arguments):
        with self.qmp_lock:
            return self.qmp_locked(command, **arguments)

    def qmp_locked(self, command, **arguments):
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

    def shell(self, command, user='user'):
        """What a shell command in the machine says; it must end with 0. user: user or root."""
        self.command_file.write(f'{user} {command}\n')
        self.command_file.flush()
        status, _, text = self.command_file.readline().partition(' ')
        text = text.rstrip('\n').replace('\036', '\n')
        if status != '0':
            raise AssertionError(f'{self.name}: {command}: status {status}: {text}')
        return text

    def kill(self):
        """As kill -9 of QEMU."""
        self.process.kill()
        self.process.wait()
        self.console.thread.join()
        self.process.stdout.close()
        self.qmp_file.close()
        self.command_file.close()


def text_of(end):
    end.settimeout(LIMIT_S)
    file = end.makefile('rw')
    end.close()
    return file


class Machines:
    """The GUI VM called gui and application VMs. Use as a context manager: __exit__ ends them all.

    vms: fields of the VM set by name, without transports. plugged: the names of those whose device the GUI
    VM gets while it runs, by plug(). images: what to boot by name, where it is not the small one. dax: the
    name of one whose memory is a dax device in place of a PCI BAR.

    A VM whose fields have a start command, which is to be START_VM and its name, starts when the GUI VM asks
    for it by that; those with autostart start with the GUI VM besides, so that they boot at once.
    """

    START_VM = '/start-vm'

    def __init__(self, vms, build, size=(800, 600), plugged=(), images=None, memory_mib=64, guivm=None, add=(),
                 dax=None):
        self.vms = vms
        self.dax = dax
        self.build = build
        self.size = size
        self.plugged = list(plugged)
        self.images = images or {}
        self.memory = memory_mib * MIB
        self.guivm = guivm or {}
        self.add = add
        self.display = ['-display', 'none']
        self.machines = {}
        self.lock = threading.RLock()
        self.over = False

    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix='isthmus-vm-')
        try:
            self.prepare()
            self.start()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, kind, value, traceback):
        with self.lock:
            self.over = True
            for machine in self.machines.values():
                machine.kill()
        shutil.rmtree(self.dir, ignore_errors=True)

    def start(self):
        self.start_gui()
        for name in self.cold():
            if 'start' not in self.vms[name] or self.vms[name].get('autostart'):
                self.start_app(name)

    def start_for_gui(self, port):
        """Starts VMs as the GUI VM asks for them: it says a name and nothing else."""
        for line in port:
            name = line.strip()
            with self.lock:
                # A desktop that starts anew may ask for one that runs.
                wanted = 'start' in self.vms.get(name, {}) and name not in self.machines and not self.over
                if wanted:
                    self.start_app(name)
                    if name in self.plugged:
                        self.plug(name)
            self.asked(name, wanted)
        # QEMUs that a thread started end with it.
        threading.Event().wait()

    def asked(self, name, started):
        """The GUI VM asked for that VM. started: it did not run before."""

    def cold(self):
        return [name for name in self.vms if name not in self.plugged]

    def transport(self, name, machine):
        """How a link is written in one of its two machines: gui, or its application VM."""
        address = self.address(name) if machine == 'gui' else f'0000:00:{FIRST_SLOT:02x}.0'
        memory = 'dax:/dev/dax0.0' if name == self.dax else f'ivshmem:{address}'
        return f'kvm:mem={memory},bell=serial:/dev/virtio-ports/isthmus.{name}'

    def address(self, name):
        """Of the link's memory in the GUI VM."""
        if name in self.plugged:
            return f'0000:{1 + self.plugged.index(name):02x}:00.0'
        return f'0000:00:{FIRST_SLOT + self.cold().index(name):02x}.0'

    def prepare(self):
        vms = {}
        for name, fields in self.vms.items():
            vms[name] = {**fields, 'transport': self.transport(name, 'gui')}
            with open(f'{self.dir}/{name}.memory', 'wb') as file:
                file.truncate(self.memory)
        with open(f'{self.dir}/vmset.json', 'w') as file:
            json.dump({'version': 1, 'guivm': self.guivm, 'vms': vms}, file)
        kinds = {'gui', *(self.images.get(name, 'app') for name in self.vms)}
        subprocess.run([f'{SCRIPTS}/vm-image', '--build', self.build, '--vmset', f'{self.dir}/vmset.json',
                        *(word for kind in sorted(kinds) for word in ('--machine', kind)),
                        *(word for program in self.add for word in ('--add', program)), self.dir], check=True)

    def link_args(self, name, slot, chardev):
        device = 'ivshmem-plain'
        place = []
        if name == self.dax:
            device = 'virtio-pmem-pci'
            place = ['-m', 'slots=1,maxmem=4G']  # above the machine's own memory
        return [*place, '-object', f'memory-backend-file,id=mem-{name},share=on,mem-path={self.dir}/{name}.memory,'
                                   f'size={self.memory}',
                '-device', f'{device},memdev=mem-{name},addr={slot:#x}',
                '-chardev', f'socket,id=bell-{name},{chardev}',
                '-device', f'virtserialport,chardev=bell-{name},name=isthmus.{name}']

    def gui_link(self, name, slot):
        """QEMU's arguments for a link in the GUI VM, and the sockets that it gets."""
        # Made here, so that it makes no difference who starts first.
        listener = socket.socket(socket.AF_UNIX)
        self.forget_bell(name)
        listener.bind(f'{self.dir}/{name}.bell')
        listener.listen()
        return self.link_args(name, slot, f'fd={listener.fileno()},server=on,wait=off'), [listener]

    def app_link(self, name):
        return self.link_args(name, FIRST_SLOT, f'path={self.dir}/{name}.bell,reconnect-ms=100')

    def devices(self, machine, memory_mib):
        """What a machine has once for all its links, besides ports."""
        return []

    def start_gui(self):
        sockets = []
        args = [*self.devices('gui', GUI_MIB), '-smp', str(gui_processors()),
                '-device', f'virtio-gpu-pci,xres={self.size[0]},yres={self.size[1]}',
                '-device', 'virtio-keyboard-pci', '-device', 'virtio-tablet-pci', *self.display]
        for number, name in enumerate(self.cold()):
            link, given = self.gui_link(name, FIRST_SLOT + number)
            args += link
            sockets += given
        for number in range(len(self.plugged)):
            args += ['-device', f'pcie-root-port,id=port{number},chassis={number + 1},slot={number + 1},'
                                f'addr={FIRST_PORT + number:#x},pref64-reserve={2 * self.memory}']
        if any('start' in fields for fields in self.vms.values()):
            ours, theirs = socket.socketpair()
            sockets.append(theirs)
            args += ['-chardev', f'socket,id=start,fd={theirs.fileno()}',
                     '-device', 'virtserialport,chardev=start,name=isthmus.start']
            threading.Thread(target=self.start_for_gui, args=[ours.makefile()], daemon=True).start()
            ours.close()
        self.machines['gui'] = Machine('gui', self.dir, 'gui', GUI_MIB, 'systemd.tty.term.console=dumb', args,
                                       [given.fileno() for given in sockets])
        for given in sockets:
            given.close()

    def forget_bell(self, name):
        if os.path.exists(f'{self.dir}/{name}.bell'):
            os.unlink(f'{self.dir}/{name}.bell')

    def start_app(self, name):
        image = self.images.get(name, 'app')
        memory_mib = 320 if image == 'app' else 640
        self.machines[name] = Machine(
            name, self.dir, image, memory_mib, f'vm={name} transport={self.transport(name, name)}',
            [*self.devices(name, memory_mib), '-display', 'none', *self.app_link(name)])

    def plug(self, name):
        """Gives the running GUI VM the device and the port of a VM."""
        self.forget_bell(name)
        path = f'{self.dir}/{name}.bell'
        self.gui.qmp('chardev-add', id=f'bell-{name}', backend={'type': 'socket', 'data': {
            'addr': {'type': 'unix', 'data': {'path': path}}, 'server': True, 'wait': False}})
        self.gui.qmp('device_add', driver='virtserialport', bus='ports.0', chardev=f'bell-{name}',
                     name=f'isthmus.{name}', id=f'port-{name}')
        self.gui.qmp('object-add', **{'qom-type': 'memory-backend-file', 'id': f'mem-{name}', 'share': True,
                                      'mem-path': f'{self.dir}/{name}.memory', 'size': self.memory})
        self.gui.qmp('device_add', driver='ivshmem-plain', memdev=f'mem-{name}', id=f'link-{name}',
                     bus=f'port{self.plugged.index(name)}')

    @property
    def gui(self):
        return self.machines['gui']

    def ctl(self, *words):
        return self.gui.shell(shlex.join(['guivmctl', *words]))

    def wait(self, *words):
        self.ctl('wait', *words, '--timeout', str(LIMIT_S // 2))

    def consoles(self):
        return ''.join(machine.console.text for machine in self.machines.values())

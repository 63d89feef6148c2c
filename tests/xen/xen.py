# SPDX-License-Identifier: Apache-2.0
"""A Xen under QEMU's emulation: dom0 is the GUI VM or starts one, application VMs are domains that it starts.

Everything waits for events: lines of dom0's console, answers of programs in it. Outer limits are nets
against hanging only.
"""
import base64
import glob
import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile

BUILD = os.environ['ISTHMUS_BUILD']
SOURCE = os.environ['ISTHMUS_SOURCE']
sys.path[:0] = [f'{SOURCE}/tests/integration', f'{SOURCE}/scripts/vm']
import desktop  # noqa: E402 (its folder is known only now)
import qemu  # noqa: E402

SIZE = 1280, 720
# A net against hanging: a domain boots in seconds, and in minutes where a dozen machines are emulated at once.
LIMIT_S = 240
# Xen leaves saving the processor's FPU registers to a trap unless told otherwise, and under emulation they
# get lost on the way. Of COM1 it is the owner; dom0's shell for the test is at COM2.
XEN = ('dom0_mem=640M,max:640M com1=115200,8n1 console=com1 noreboot loglvl=warning guest_loglvl=warning '
       'spec-ctrl=no,eager-fpu')


def missing():
    """What is missing here, or None."""
    if shutil.which(qemu.PROGRAM) is None:
        return 'no QEMU'
    if not glob.glob('/boot/xen-*.gz') or not glob.glob('/usr/lib/xen-*/bin/xl'):
        return 'no Xen'
    if not os.path.exists(f'{BUILD}/tests/xen/test-xen-vchan'):
        return 'built without libxenvchan'
    return None


class Xen:
    """vms: name to fields of the VM set. add: more programs for all domains. Use as a context manager."""

    def __init__(self, vms, add=()):
        self.vms = vms
        self.add = add
        # A kernel for the domains other than dom0, where Debian's will not do.
        self.kernel = os.environ.get('ISTHMUS_XEN_KERNEL')
        self.process = None
        self.desk = self.shell  # where guivm-server runs

    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix='isthmus-xen-')
        try:
            with open(f'{self.dir}/vmset.json', 'w') as file:
                json.dump({'version': 1, 'guivm': {}, 'vms': {
                    name: {**fields, 'transport': f'xen:{name}:isthmus'} for name, fields in self.vms.items()}}, file)
            subprocess.run([f'{SOURCE}/scripts/xen-image', '--build', BUILD, '--vmset', f'{self.dir}/vmset.json',
                            *(['--domu-kernel', self.kernel] if self.kernel else []),
                            *(word for program in self.add for word in ('--add', program)), self.dir], check=True)
            self.boot()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def boot(self):
        ours, commands = socket.socketpair()
        ours.settimeout(3 * LIMIT_S)
        self.command_file = ours.makefile('rw')
        ours.close()
        self.process = subprocess.Popen(
            ['setpriv', '--pdeathsig', 'KILL', qemu.PROGRAM, *qemu.MACHINE, '-accel', 'tcg', '-cpu', 'max', '-smp', '1',
             '-m', '2048', '-display', 'none', '-monitor', 'none', '-serial', 'stdio',
             '-chardev', f'socket,id=command,fd={commands.fileno()}', '-serial', 'chardev:command',
             '-kernel', f'{self.dir}/xen', '-append', XEN,
             '-initrd', f'{self.dir}/vmlinuz console=hvc0 quiet mitigations=off panic=1,{self.dir}/dom0.cpio'],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, pass_fds=[commands.fileno()])
        commands.close()
        self.console = qemu.Console('dom0', self.process.stdout)
        self.console.wait('isthmus: dom0 takes commands', LIMIT_S)

    def __exit__(self, kind, value, traceback):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.console.thread.join()
            self.process.stdout.close()
            self.command_file.close()
            if kind is not None:
                print(self.console.text, file=sys.stderr)
        shutil.rmtree(self.dir, ignore_errors=True)

    def shell(self, command, user='user'):
        """What a shell command in dom0 says; it must end with 0. user: user or root."""
        self.command_file.write(f'{user} {command}\n')
        self.command_file.flush()
        status, _, text = self.command_file.readline().partition(' ')
        text = text.rstrip('\n').replace('\036', '\n')
        if status != '0':
            raise AssertionError(f'{command}: status {status}: {text}\n{self.console.text}')
        return text

    def in_domain(self, name, command, user='user'):
        """The same in a domain that answers commands."""
        return self.shell(f'in-domain {name} {shlex.quote(f"{user} {command}")}', 'root')

    def in_gui(self, command, user='user'):
        return self.in_domain('gui', command, user)

    def ctl(self, *words):
        return self.desk(shlex.join(('guivmctl', *words)))

    def wait(self, *words):
        self.ctl('wait', *words, '--timeout', str(LIMIT_S))

    def create(self, name, image='domu', kind='pv', **environment):
        """Starts an application VM. environment: what its first process finds set."""
        words = ' '.join(f'{key}={value}' for key, value in {'vm': name, **environment}.items())
        self.shell(f'sed "s/@NAME@/{name}/; s/@IMAGE@/{image}/; s/@TYPE@/{kind}/; s/@WORDS@/{words}/" /etc/xen/domu.cfg >/run/{name}.cfg && '
                   # libxl gives its daemons 10 s, whatever else this machine is doing.
                   f'(xl create /run/{name}.cfg || {{ xl destroy {name}; xl create /run/{name}.cfg; }})', 'root')

    def create_gui(self, kind='pv', **environment):
        """Starts a GUI VM beside dom0, in which everything below looks from then on."""
        self.create('gui', 'gui', kind, **environment)
        self.shell('in-domain gui connect', 'root')
        self.desk = self.in_gui
        self.in_gui('true')  # answered when it is up
        self.console.wait('isthmus: desktop is up')

    def introduce(self, name, other):
        """Tells a domain which one another is, as a toolstack would."""
        self.shell(f'xenstore-write "/local/domain/$(xl domid {name})/vm-data/isthmus/{other}" "$(xl domid {other})"',
                   'root')

    def screenshot(self):
        path = f'{self.dir}/screen.png'
        text = self.desk('guivmctl screenshot /tmp/screen.png >/dev/null && base64 -w 0 /tmp/screen.png')
        with open(path, 'wb') as file:
            file.write(base64.b64decode(text))
        return desktop.Image(path)

    def screen_sum(self):
        """A number for what the screen shows: to send it all takes its time."""
        return self.desk('guivmctl screenshot /tmp/screen.png >/dev/null && md5sum </tmp/screen.png')

    def windows(self):
        return [desktop.Window(fields) for fields in json.loads(self.ctl('windows', '--json'))]

    def input(self, *lines):
        """Lines for isthmus-test-input."""
        self.desk(f"printf '%s\\n' {shlex.join(lines)} | isthmus-test-input {SIZE[0]} {SIZE[1]}")

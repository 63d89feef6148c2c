#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""scripts/demo-vm: what the sandbox of a demo VM shares with the machine, and what it does not.

In place of appvm-proxy the sandbox runs this file, which prints what it sees.
"""

import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import unittest

NAMESPACES = ("user", "pid", "mnt", "net", "ipc", "uts")


def namespaces():
    return {name: os.readlink(f"/proc/self/ns/{name}") for name in NAMESPACES}


def can_write(path):
    try:
        pathlib.Path(path, "probe").touch()
        return True
    except OSError:
        return False


def connects(path):
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(path)
            return True
        except OSError:
            return False


def look_around():
    writable = ["/", "/usr", "/etc", "/run", "/run/isthmus", "/home/user", "/tmp"]
    with open("/proc/self/status", encoding="utf-8") as status:
        capabilities = next(line.split()[1] for line in status if line.startswith("CapEff"))
    print(json.dumps({
        "arguments": sys.argv[1:],
        "namespaces": namespaces(),
        "processes": [int(name) for name in os.listdir("/proc") if name.isdigit()],
        "interfaces": [name for _, name in socket.if_nameindex()],
        "hostname": socket.gethostname(),
        "environment": dict(os.environ),
        "tmp": os.listdir("/tmp"),
        "home": os.listdir("/home/user"),
        "runtime": os.listdir(os.environ["XDG_RUNTIME_DIR"]),
        "transport": os.listdir("/run/isthmus"),
        "connects": connects("/run/isthmus/vchan"),
        "writable": [path for path in writable if can_write(path)],
        "vmset": pathlib.Path("/etc/isthmus/vmset.json").read_text(encoding="utf-8"),
        "capabilities": int(capabilities, 16),
    }))


class DemoVmTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.dir.cleanup)
        vmset = pathlib.Path(cls.dir.name, "vmset.json")
        vmset.write_text("the set", encoding="utf-8")
        transport = pathlib.Path(cls.dir.name, "work")
        transport.mkdir()
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(transport / "vchan"))
            server.listen()
            done = cls.run_vm("--vmset", vmset, "--transport", f"local:{transport},pixels=arena",
                              "--proxy", os.path.realpath(__file__), "work")
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        cls.seen = json.loads(done.stdout)

    @staticmethod
    def run_vm(*args):
        environment = dict(os.environ, SECRET="1", WAYLAND_DISPLAY="wayland-0")
        return subprocess.run([DEMO_VM, *args], env=environment, capture_output=True, text=True,
                              check=False)

    def test_every_namespace_is_its_own(self):
        outside = namespaces()
        shared = [name for name in NAMESPACES if self.seen["namespaces"][name] == outside[name]]
        self.assertEqual(shared, [])

    def test_it_sees_its_own_processes_only(self):
        self.assertLess(max(self.seen["processes"]), 20)

    def test_its_network_is_loopback(self):
        self.assertEqual(self.seen["interfaces"], ["lo"])

    def test_it_is_named_after_the_vm(self):
        self.assertEqual(self.seen["hostname"], "work")

    def test_nothing_of_the_environment_passes(self):
        self.assertNotIn("SECRET", self.seen["environment"])
        self.assertNotIn("WAYLAND_DISPLAY", self.seen["environment"])

    def test_its_folders_begin_empty(self):
        self.assertEqual((self.seen["tmp"], self.seen["home"], self.seen["runtime"]), ([], [], []))

    def test_it_writes_to_its_own_folders_only(self):
        self.assertEqual(self.seen["writable"], ["/run", "/home/user", "/tmp"])

    def test_it_reaches_the_sockets_of_its_transport_folder(self):
        self.assertEqual(self.seen["transport"], ["vchan"])
        self.assertTrue(self.seen["connects"])

    def test_it_has_no_capabilities(self):
        self.assertEqual(self.seen["capabilities"], 0)

    def test_the_proxy_is_told_the_folder_inside_and_the_options(self):
        self.assertEqual(self.seen["arguments"], [
            "--vmset", "/etc/isthmus/vmset.json", "--vm", "work",
            "--transport", "local:/run/isthmus,pixels=arena"])
        self.assertEqual(self.seen["vmset"], "the set")

    def test_wrong_usage_is_status_2(self):
        self.assertEqual(self.run_vm("../x").returncode, 2)
        self.assertEqual(self.run_vm("--transport", "stream:fd:1", "work").returncode, 2)
        self.assertEqual(self.run_vm().returncode, 2)

    def test_a_missing_folder_is_named(self):
        done = self.run_vm("--transport", "local:/nonexistent", "work")
        self.assertEqual(done.returncode, 1)
        self.assertIn("/nonexistent", done.stderr)


def main():
    result = unittest.main(verbosity=2, exit=False).result
    failed = len(result.failures) + len(result.errors)
    skipped = len(result.skipped)
    print(f"{result.testsRun - failed - skipped} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    if "--vm" in sys.argv:
        look_around()
    else:
        DEMO_VM = pathlib.Path(sys.argv.pop(1)) / "scripts" / "demo-vm"
        main()

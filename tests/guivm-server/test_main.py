#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""guivm-server's command line, start and end. Argument: the program."""

import os
import pathlib
import resource
import select
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

PROGRAM = sys.argv[1] if len(sys.argv) > 1 else ""
TIMEOUT_S = 60
SOFT_LIMIT = 512  # open files


def lower_limit():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (SOFT_LIMIT, hard))


class MainTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.environment = dict(os.environ, XDG_RUNTIME_DIR=folder.name, WLR_BACKENDS="headless",
                                WLR_RENDERER="pixman", WLR_LIBINPUT_NO_DEVICES="1")
        self.environment.pop("WAYLAND_DISPLAY", None)
        self.environment.pop("NOTIFY_SOCKET", None)

    def run_program(self, *arguments, **environment):
        return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, check=False,
                              env={**self.environment, **environment}, timeout=TIMEOUT_S)

    def start(self, *arguments, **environment):
        """The server and what it writes to --ready-fd when it is ready."""
        read_fd, write_fd = os.pipe()
        server = subprocess.Popen([PROGRAM, "--ready-fd", str(write_fd), *arguments],
                                  pass_fds=[write_fd], preexec_fn=lower_limit,
                                  stderr=subprocess.DEVNULL, env={**self.environment, **environment})
        os.close(write_fd)
        ready = os.read(read_fd, 16)
        os.close(read_fd)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        return server, ready

    def stop(self, server, number=signal.SIGTERM):
        server.send_signal(number)
        self.assertEqual(server.wait(TIMEOUT_S), 0)

    def test_help_names_every_option(self):
        run = self.run_program("--help")
        self.assertEqual(run.returncode, 0)
        for option in ["--vmset", "--startup", "--ready-fd", "--help", "--version"]:
            self.assertIn(option, run.stdout)

    def test_version(self):
        run = self.run_program("--version")
        self.assertEqual(run.returncode, 0)
        self.assertRegex(run.stdout, r"^guivm-server \d+\.\d+")

    def test_wrong_usage_is_status_2(self):
        for arguments in [["--nope"], ["extra"], ["--vmset"], ["--ready-fd", "x"],
                          ["--ready-fd", "-1"]]:
            with self.subTest(arguments):
                self.assertEqual(self.run_program(*arguments).returncode, 2)

    def test_missing_vmset_is_status_1(self):
        run = self.run_program("--vmset", str(self.folder / "none.json"))
        self.assertEqual(run.returncode, 1)
        self.assertIn("none.json", run.stderr)

    def test_broken_vmset_starts_nothing_and_names_every_error(self):
        path = self.folder / "bad.json"
        path.write_text('{"version": 1, "foo": 2, "vms": {"a": {"color": "zz"}}}')
        run = self.run_program("--vmset", str(path), "--startup", f"touch {self.folder}/started")
        self.assertEqual(run.returncode, 1)
        self.assertIn("foo", run.stderr)
        self.assertIn("vms.a.color", run.stderr)
        self.assertFalse((self.folder / "started").exists())

    def test_no_runtime_dir_is_status_1(self):
        run = self.run_program(XDG_RUNTIME_DIR=str(self.folder / "missing"))
        self.assertEqual(run.returncode, 1)
        self.assertIn("XDG_RUNTIME_DIR", run.stderr)

    def test_ready_fd_and_both_signals(self):
        for number in [signal.SIGTERM, signal.SIGINT]:
            with self.subTest(number):
                server, ready = self.start()
                self.assertEqual(ready, b"\n")
                self.stop(server, number)

    def test_service_manager_is_told(self):
        path = self.folder / "notify"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(str(path))
            notify.settimeout(TIMEOUT_S)
            server, _ = self.start(NOTIFY_SOCKET=str(path))
            self.assertEqual(notify.recv(64), b"READY=1")
            self.stop(server)

    def test_startup_command_has_the_display_and_the_callers_file_limit(self):
        fifo = self.folder / "fifo"
        os.mkfifo(fifo)
        server, _ = self.start("--startup", f"echo $WAYLAND_DISPLAY $(ulimit -Sn) >{fifo}")
        display, limit = fifo.read_text().split()
        self.assertTrue((self.folder / display).is_socket())
        self.assertEqual(limit, str(SOFT_LIMIT))
        self.stop(server)

    def test_startup_command_ends_with_the_server(self):
        fifo = self.folder / "fifo"
        os.mkfifo(fifo)
        server, _ = self.start("--startup", f"echo $$ >{fifo}; exec sleep 1000")
        pid = int(fifo.read_text())
        pidfd = os.pidfd_open(pid)
        self.stop(server)
        self.assertEqual(select.select([pidfd], [], [], TIMEOUT_S)[0], [pidfd])
        os.close(pidfd)


if __name__ == "__main__":
    result = unittest.main(argv=sys.argv[:1], exit=False).result
    failed = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - failed} passed, {failed} failed, {len(result.skipped)} skipped")
    sys.exit(failed > 0)

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""isthmus-ivshmem-server's command line, its ready line, and its end."""

import os
import subprocess
import sys
import tempfile

PROGRAM = os.environ["ISTHMUS_IVSHMEM_SERVER"]
passed = failed = 0


def run(*args):
    return subprocess.run([PROGRAM, *args], capture_output=True, text=True, timeout=60)


def check(name, condition):
    global passed, failed
    passed, failed = passed + bool(condition), failed + (not condition)
    print(f"{'ok' if condition else 'not ok'} {passed + failed} {name}")


def wrong(name, part, *args):
    result = run(*args)
    check(name, result.returncode == 2 and part in result.stderr)


GOOD = ["--memory", "4M", "--guivm-socket", "/nonexistent/g", "--appvm-socket", "/nonexistent/a"]

result = run("--help")
check("help_goes_to_standard_output", result.returncode == 0 and "Usage:" in result.stdout)
result = run("--version")
check("version_is_told", result.returncode == 0 and result.stdout.startswith("isthmus-ivshmem-server "))
wrong("unknown_options_are_wrong_usage", "--help", "--nonsense")
wrong("arguments_are_wrong_usage", "options only", *GOOD, "argument")
wrong("memory_is_needed", "--memory is missing", *GOOD[2:])
wrong("both_sockets_are_needed", "--appvm-socket is missing", *GOOD[:4])
for size in ("", "x", "-1", "4K", "4MM", "4 M", "99999999999999999999"):
    wrong(f"memory_is_a_size_{size}", f'"{size}"', *GOOD, "--memory", size)
wrong("users_are_known", '"no such user"', *GOOD, "--guivm-user", "no such user")
result = run(*GOOD)
check("a_socket_that_cannot_be_made_is_named", result.returncode == 1 and "/nonexistent/g" in result.stderr)
result = run(*GOOD, "--memory", "3M")
check("memory_of_another_size_is_refused", result.returncode == 1 and "power of two" in result.stderr)

with tempfile.TemporaryDirectory() as folder:
    sockets = [f"{folder}/gui", f"{folder}/app"]
    near, far = os.pipe()
    server = subprocess.Popen([PROGRAM, "--memory", "4M", "--guivm-socket", sockets[0], "--appvm-socket", sockets[1],
                               "--ready-fd", str(far), "--appvm-user", str(os.geteuid())], pass_fds=[far])
    os.close(far)
    with os.fdopen(near) as ready:
        check("it_says_when_it_is_ready", ready.read() == "\n" and all(map(os.path.exists, sockets)))
    server.terminate()
    check("it_ends_by_SIGTERM_and_removes_its_sockets", server.wait(60) == 0 and not any(map(os.path.exists, sockets)))

print(f"1..{passed + failed}")
print(f"{passed} passed, {failed} failed, 0 skipped")
sys.exit(failed > 0)

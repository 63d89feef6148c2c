#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""guivm-launcher's command line, and what it says without a compositor."""

import os
import subprocess
import sys

passed = failed = 0


def run(*args):
    environment = dict(os.environ, WAYLAND_DISPLAY="/nonexistent/wayland")
    environment.pop("WAYLAND_SOCKET", None)
    return subprocess.run([sys.argv[1], *args], env=environment, capture_output=True, text=True)


def check(name, condition):
    global passed, failed
    passed, failed = passed + bool(condition), failed + (not condition)
    print(f"{'ok' if condition else 'not ok'} {passed + failed} {name}")


result = run("--help")
check("help_goes_to_standard_output", result.returncode == 0 and "Usage:" in result.stdout)
result = run("--version")
check("version_is_told", result.returncode == 0 and result.stdout.startswith("guivm-launcher "))
result = run("--nonsense")
check("unknown_options_are_wrong_usage", result.returncode == 2 and "Usage:" in result.stderr)
result = run("argument")
check("arguments_are_wrong_usage", result.returncode == 2 and "argument" in result.stderr)
result = run()
check("a_missing_compositor_is_named",
      result.returncode == 1 and "cannot connect to the compositor" in result.stderr)
print(f"1..{passed + failed}")
print(f"{passed} passed, {failed} failed, 0 skipped")
sys.exit(failed > 0)

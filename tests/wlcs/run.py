#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the Wayland conformance suite (WLCS) and compares each test with what is expected of it.

run.py run LANE EXPECTED FLAKY [FILTER]   fails when a test that is expected to pass does not
run.py update LANE EXPECTED FLAKY         writes EXPECTED anew; read the difference before it is kept
run.py compare NATIVE NATIVE_TOLERANT BRIDGED BRIDGED_TOLERANT
                                          fails when a list has a test that the bridge loses

LANE is native or bridged, with -tolerant; bridged with -arena or -stream where pixels are to cross in
that way, which changes nothing of what is expected. Of a test that is in FLAKY only its running is
expected. The last line counts expectations: those met, those not met.
"""

import os
import pathlib
import re
import subprocess
import sys
import threading

LIMIT_S = 400  # a client that waits for an answer waits for ever: the outer net
MAX_CRASHES = 5
STARTED = re.compile(r"^\[ RUN      \] (\S+)$")
ENDED = re.compile(r"^\[ +(OK|FAILED|SKIP) +\] (\S+?),? \(?.*$")
NAMES = {"OK": "OK", "FAILED": "FAILED", "SKIP": "SKIPPED"}
# What a VM's applications never get to see, by policy: docs/protocols.md.
PRIVILEGED = re.compile(r"LayerS|layer_shell|LayerShell|VirtualPointer|ForeignToplevel|InputMethod")


def read_list(path):
    expected = {}
    for line in pathlib.Path(path).read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            result, name = line.split()
            expected[name] = result
    return expected


def read_names(path):
    lines = pathlib.Path(path).read_text(encoding="utf-8").splitlines()
    return {line.split()[0] for line in lines if line and not line.startswith("#")}


def run_once(lane, results, test_filter):
    """Adds to results. Returns the test that was running when the runner died or hung, or None."""
    command = [os.environ["ISTHMUS_WLCS_RUNNER"], os.environ["ISTHMUS_WLCS_MODULE"],
               f"--gtest_filter={test_filter}"]
    env = dict(os.environ, ISTHMUS_WLCS=lane, ISTHMUS_LOG="error", LC_ALL="C.UTF-8")
    running = None
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace") as process:
        net = threading.Timer(LIMIT_S, process.kill)
        net.start()
        report = []
        for line in process.stdout:
            started = STARTED.match(line)
            ended = ENDED.match(line)
            if started:
                running, report = started[1], []
            elif running and ended and ended[2].rstrip(",") == running:
                results[running] = NAMES[ended[1]], report
                running = None
            elif running:
                report.append(line.rstrip())
        net.cancel()
    if running:
        results[running] = "FAILED", report + [f"the runner ended with {process.returncode}"]
    return running


def run_suite(lane, test_filter):
    results = {}
    for _ in range(MAX_CRASHES):
        if run_once(lane, results, test_filter) is None:
            break
        negative = "-" if "-" not in test_filter else ":"
        test_filter += negative + ":".join(results)
    return results


def judge(expected, flaky, results, whole):
    """How many expectations were met and not."""
    met = missed = 0
    for name, (result, report) in sorted(results.items()):
        was = expected.get(name)
        if was == "OK" and result != "OK" and name not in flaky:
            missed += 1
            print(f"not ok - {name}: {result}", *report[:12], sep="\n# ")
            continue
        met += 1
        if was != result and name not in flaky:
            print(f"# {name}: {was} became {result}")
    for name in expected.keys() - results.keys() if whole else ():
        missed += 1
        print(f"not ok - {name}: did not run")
    return met, missed


def run(lane, expected_path, flaky_path, test_filter="*"):
    results = run_suite(lane, test_filter)
    counts = {name: 0 for name in NAMES.values()}
    for result, _ in results.values():
        counts[result] += 1
    print(f"# {lane}: " + ", ".join(f"{number} {name}" for name, number in counts.items()))
    met, missed = judge(read_list(expected_path), read_names(flaky_path), results,
                        test_filter == "*")
    print(f"{met} passed, {missed} failed, 0 skipped")
    return 0 if met and not missed else 1


def update(lane, expected_path, _flaky_path):
    results = run_suite(lane, "*")
    lines = [f"{result} {name}\n" for name, (result, _) in sorted(results.items())]
    pathlib.Path(expected_path).write_text("".join(lines), encoding="utf-8")
    return 0


def compare(*paths):
    lists = [read_list(path) for path in paths]
    met = missed = 0
    for native, bridged in ((lists[0], lists[2]), (lists[1], lists[3])):
        for name, result in native.items():
            withheld = bridged[name] == "SKIPPED" and PRIVILEGED.search(name)
            if result == "OK" and bridged[name] != "OK" and not withheld:
                missed += 1
                print(f"not ok - {name}: OK natively, {bridged[name]} through the bridge")
            else:
                met += 1
    print(f"{met} passed, {missed} failed, 0 skipped")
    return 0 if met and not missed else 1


if __name__ == "__main__":
    sys.exit({"run": run, "update": update, "compare": compare}[sys.argv[1]](*sys.argv[2:]))

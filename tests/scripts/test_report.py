#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""scripts/test-report: what it counts, and what it takes for a failure."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

REPORT = pathlib.Path(sys.argv.pop(1)) / "scripts" / "test-report"


def report(*programs):
    """Exit status and lines for a build whose programs were (result, output)."""
    with tempfile.TemporaryDirectory() as build:
        log = pathlib.Path(build, "meson-logs", "testlog.json")
        log.parent.mkdir()
        log.write_text("".join(json.dumps({
            "name": f"unit - isthmus:program{i}", "result": result, "duration": 0.1,
            "stdout": output}) + "\n" for i, (result, output) in enumerate(programs)))
        done = subprocess.run([REPORT, build], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout.splitlines()


class ReportTest(unittest.TestCase):
    def test_programs_are_added_up(self):
        status, lines = report(("OK", "ok 1 - a\n1..1\n1 passed, 0 failed, 0 skipped\n"),
                               ("OK", "5 passed, 0 failed, 0 skipped\n"))
        self.assertEqual((status, lines[-1]), (0, "6 passed, 0 failed, 0 skipped"))

    def test_tap_without_counts_is_counted(self):
        status, lines = report(("FAIL", "ok 1 - a\nnot ok 2 - b\nok 3 - c # SKIP no gpu\n"))
        self.assertEqual((status, lines[-1]), (1, "1 passed, 1 failed, 1 skipped"))

    def test_failures_and_skips_are_named(self):
        lines = report(("FAIL", "# skipped: no gpu\nok 1 - a # SKIP\nnot ok 2 - b\n"))[1]
        self.assertTrue(any(line.endswith("program0: a: no gpu") for line in lines))
        self.assertTrue(any(line.endswith("program0: b") for line in lines))

    def test_unittest_failures_are_named(self):
        lines = report(("FAIL", "FAIL: test_x (__main__.T.test_x)\n0 passed, 1 failed, 0 skipped\n"))[1]
        self.assertTrue(any(line.endswith("program0: test_x") for line in lines))

    def test_a_program_that_crashes_after_its_tests_failed(self):
        status, lines = report(("FAIL", "1 passed, 0 failed, 0 skipped\n"))
        self.assertEqual((status, lines[-1]), (1, "1 passed, 1 failed, 0 skipped"))

    def test_a_timeout_is_a_failure(self):
        status, lines = report(("TIMEOUT", "ok 1 - a\n"))
        self.assertEqual((status, lines[-1]), (1, "1 passed, 1 failed, 0 skipped"))

    def test_a_program_without_tests_is_a_failure(self):
        status, lines = report(("OK", ""), ("OK", "1 passed, 0 failed, 0 skipped\n"))
        self.assertEqual((status, lines[-1]), (1, "1 passed, 1 failed, 0 skipped"))

    def test_a_build_without_results_is_a_failure(self):
        done = subprocess.run([REPORT, "/nonexistent"], capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout.splitlines()[-1]),
                         (1, "0 passed, 1 failed, 0 skipped"))

    def test_nothing_but_skips_is_a_failure(self):
        self.assertEqual(report(("SKIP", "ok 1 - a # SKIP no gpu\n"))[0], 1)


if __name__ == "__main__":
    program = unittest.main(verbosity=2, exit=False)
    result = program.result
    failed = len(result.failures) + len(result.errors)
    skipped = len(result.skipped)
    print(f"{result.testsRun - failed - skipped} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed else 0)

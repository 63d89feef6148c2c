#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks what CONTRIBUTING.md calls a rule, over all files of the tree.

Each rule is one test. Before it is used on the tree it is tried on a sample that breaks it, so that a
rule which finds nothing is not mistaken for a clean tree. Violations are printed as file:line: text.
"""

import pathlib
import re
import shutil
import subprocess
import sys

SKIPPED = re.compile(r"^(build.*|\.git|__pycache__|\.cache|\.vscode|\.idea)$")
COLUMNS = 100
FILE_LINES = 800
FUNCTION_LINES = 100

# What each folder may include, besides itself: folders and single headers, as in the table in
# docs/architecture.md.
LAYERS = {
    "common": [],
    "protocol": ["common"],
    "transport": ["common"],
    "ivshmem-server": ["common", "transport"],
    "bridge": ["common", "protocol", "transport"],
    "vmset": ["common", "borders/trust.h", "transport/transport.h"],
    "appvm-proxy": ["common", "protocol", "transport", "bridge", "vmset"],
    "guivm-server/relay": ["common", "protocol", "transport", "bridge"],
    "borders": ["common"],
    "control": ["common", "vmset", "transport/probe.h"],
    "guivm-server": ["common", "vmset", "borders"],
    "launcher": ["common", "control", "borders"],
}


class Rule:
    def __init__(self, name, check, applies, bad):
        self.name = name
        self.check = check  # of (path, lines): yields (line number, text)
        self.applies = applies  # to a path
        self.bad = bad  # path, text that breaks the rule


def is_c(path):
    return path.endswith((".c", ".h"))


def is_test(path):
    return path.startswith("tests/") and not path.startswith("tests/lint/")


def is_any(path):
    return path != "LICENSE"


def strip_c(lines):
    """The same lines without comments and without what is inside of strings."""
    token = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)

    def blank(match):
        if match[0].startswith("/"):
            return "\n" * match[0].count("\n")
        return '""'

    return token.sub(blank, "\n".join(lines)).split("\n")


def folder_of(path):
    parents = [str(parent) for parent in pathlib.PurePosixPath(path).parents]
    return next((parent for parent in parents if parent in LAYERS), None)


def check_layers(path, lines):
    here = folder_of(path)
    for number, line in enumerate(lines, 1):
        include = re.match(r'\s*#\s*include\s*["<]([^">]+)[">]', line)
        if not include:
            continue
        if ".." in include[1].split("/"):
            yield number, "includes are written from the root of the tree"
        there = folder_of(include[1])
        if there not in (None, here, *LAYERS[here]) and include[1] not in LAYERS[here]:
            yield number, f"{here}/ must not include {there}/"


def check_spdx(path, lines):
    # Includes headers that are under the GPL: so is it, a test module that is never installed.
    name = "GPL-3.0-only" if path == "tests/wlcs/module.c" else "Apache-2.0"
    if not any(f"SPDX-License-Identifier: {name}" in line for line in lines[:5]):
        yield 1, f"SPDX-License-Identifier: {name} is missing"


def forbid(pattern, why):
    compiled = re.compile(pattern)

    def check(path, lines):
        for number, line in enumerate(strip_c(lines) if is_c(path) else lines, 1):
            found = compiled.search(line)
            if found:
                yield number, f"{found[0].strip()}: {why}"

    return check


def check_columns(path, lines):
    for number, line in enumerate(lines, 1):
        columns = len(line.expandtabs(8))
        if columns > COLUMNS:
            yield number, f"{columns} columns, at most {COLUMNS}"


def check_file_lines(path, lines):
    if len(lines) > FILE_LINES:
        yield FILE_LINES, f"{len(lines)} lines, at most {FILE_LINES}"


def check_function_lines(path, lines):
    start = None
    for number, line in enumerate(lines, 1):
        if line.endswith(") {") and not line.startswith(("\t", " ", "#", "/")):
            start = number
        elif line == "}" and start:
            if number - start > FUNCTION_LINES:
                yield start, f"a function of {number - start} lines, at most {FUNCTION_LINES}"
            start = None


def check_guard(path, lines):
    guard = "ISTHMUS_" + re.sub(r"[^A-Z0-9]", "_", path.upper())
    text = "\n".join(lines)
    if f"#ifndef {guard}\n#define {guard}\n" not in text:
        yield 1, f"include guard {guard} is missing"


def check_whitespace(path, lines):
    for number, line in enumerate(lines, 1):
        if line != line.rstrip():
            yield number, "white space at the end"


# Written in pieces, or this file would break the rule itself.
PACKAGE_HOSTS = r"\b(debian" r"\.org|ubuntu" r"\.com|fedoraproject" r"\.org|pypi" r"\.org|crates" r"\.io)\b"
MACHINE_PATHS = r"(?<![\w.@}~-])/(wor" r"k|roo" r"t)/"
UNSAFE = r"\b(v?sprintf|strcpy|strcat|stpcpy|gets|alloca|atoi|system|popen)\s*\("
SLEEP = r"\b(u?sleep|nanosleep|clock_nanosleep)\s*\("
# server_options.bare_windows takes the frames away: only a test may set it. What is left to the
# product is handing it on, and reading it.
BARE = r"\bbare_windows\s*=(?!=|\s*options->bare_windows\b)|&[\w.>-]*\bbare_windows\b"
# The least that a page has, which the link protocol names, is no machine's size.
PAGE_SIZES = r"\bPAGE_(SIZE|SHIFT|MASK)\b|\bgetpagesize\b|\b(?!MIN_)\w*PAGE(?!S)\w*[\s=(]+(4096|65536|0x10{3,4})\b"
SCRIPT_SLEEP = r"(^|[;&|(]|\bdo\b|\bthen\b)\s*sleep\s+[\d$.]|time\.sleep\("

RULES = [
    Rule("layers", check_layers, lambda path: is_c(path) and folder_of(path),
         ("guivm-server/server.c", '#include "transport/vchan.h"')),
    Rule("license_line", check_spdx,
         lambda path: path.endswith((".c", ".h", ".py", ".xml", "meson.build", "meson.options"))
         or path.startswith("scripts/") and "." not in path,
         ("common/log.c", "int x;")),
    Rule("unsafe_calls", forbid(UNSAFE, "not used here"), is_c,
         ("common/log.c", "\tstrcpy(a, b);")),
    Rule("no_sleep_in_c", forbid(SLEEP, "wait for the event"), is_c,
         ("common/log.c", "\tusleep(10);")),
    Rule("no_sleep_in_tests", forbid(SCRIPT_SLEEP, "wait for the event"),
         lambda path: is_test(path) and not is_c(path) and not path.startswith("tests/bench/"),
         ("tests/integration/run.sh", "\tsleep 1")),
    Rule("frames_stay", forbid(BARE, "the product has no windows without frames"),
         lambda path: is_c(path) and not path.startswith("tests/"),
         ("guivm-server/main.c", "\t\t\t.bare_windows = options.bare,")),
    Rule("page_size", forbid(PAGE_SIZES, "machines differ: sysconf(_SC_PAGESIZE)"),
         lambda path: is_c(path) and not path.startswith("tests/"),
         ("transport/pages.c", "#define PAGE_BYTES 4096")),
    Rule("typedef_struct", forbid(r"\btypedef\s+struct\b", "write struct"), is_c,
         ("common/log.h", "typedef struct log log_t;")),
    Rule("line_length", check_columns, is_c,
         ("common/log.c", "\t" * 12 + "12345")),
    Rule("file_length", check_file_lines, is_c,
         ("common/log.c", "\n" * FILE_LINES)),
    Rule("function_length", check_function_lines, is_c,
         ("common/log.c", "int f(void) {" + "\n" * FUNCTION_LINES + "\n}")),
    Rule("include_guard", check_guard, lambda path: path.endswith(".h"),
         ("common/log.h", "#ifndef LOG_H\n#define LOG_H\n#endif")),
    Rule("trailing_white_space", check_whitespace,
         lambda path: is_any(path) and not path.endswith(".md"),
         ("common/log.c", "int x; ")),
    Rule("package_hosts", forbid(PACKAGE_HOSTS, "no package host is named in the tree"), is_any,
         ("scripts/setup", "mirror=http://deb.debian" + ".org/")),
    Rule("machine_paths", forbid(MACHINE_PATHS, "a path of one machine"), is_any,
         ("scripts/setup", "cd /wor" + "k/isthmus")),
]


def tree_files(root):
    for path in sorted(root.rglob("*")):
        parts = path.relative_to(root).parts
        if any(SKIPPED.match(part) for part in parts) or not path.is_file():
            continue
        try:
            yield "/".join(parts), path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
        except UnicodeDecodeError:
            continue  # a picture


def apply_rule(rule, files):
    """The number of violations in files, which are printed."""
    count = 0
    for path, lines in files:
        if not rule.applies(path):
            continue
        for number, text in rule.check(path, lines):
            print(f"# {path}:{number}: {text}")
            count += 1
    return count


def finds_its_sample(rule):
    path, text = rule.bad
    return rule.applies(path) and any(rule.check(path, text.split("\n")))


def run_shellcheck(root, files):
    scripts = [path for path, lines in files if re.match(r"#!.*\b(ba|da)?sh$", lines[0])]
    return subprocess.run(["shellcheck", *scripts], cwd=root, check=False).returncode


def main(root):
    files = list(tree_files(root))
    results = []
    for rule in RULES:
        if not finds_its_sample(rule):
            print(f"# {rule.name}: does not find the sample that breaks it")
            results.append(False)
        else:
            results.append(apply_rule(rule, files) == 0)
        print(f"{'ok' if results[-1] else 'not ok'} {len(results)} - {rule.name}")
    skipped = 0
    if shutil.which("shellcheck"):
        results.append(run_shellcheck(root, files) == 0)
        print(f"{'ok' if results[-1] else 'not ok'} {len(results)} - shellcheck")
    else:
        skipped = 1
        print(f"ok {len(results) + 1} - shellcheck # SKIP not installed")
    print(f"1..{len(results) + skipped}")
    passed = sum(results)
    print(f"{passed} passed, {len(results) - passed} failed, {skipped} skipped")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))

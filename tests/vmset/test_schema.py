#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that vmset.schema.json and the reader judge the same sets the same way.

Arguments: the schema, the reader's judge program, and files that both must find good.
"""

import copy
import json
import pathlib
import subprocess
import sys
import tempfile

try:
    import jsonschema
except ImportError:
    jsonschema = None

FULL = {
    "$schema": "x",
    "version": 1,
    "guivm": {
        "keyboard": {"layout": "us,fi", "variant": "", "options": "", "model": "pc105",
                     "repeat_rate": 30, "repeat_delay_ms": 400},
        "border": {"width": 6}, "clipboard": "ask", "background": "#000000", "color": "#808080",
    },
    "vms": {
        "work": {
            "label": "Work", "color": "#0050d0", "trust": "trusted", "transport": "local:/a",
            "start": ["start", ""], "autostart": True, "memory_mib": 1024, "vcpus": 2,
            "applications": [{"name": "Editor", "description": "Edits", "exec": ["edit"],
                              "icon": "edit", "categories": ["Utility"]}],
            "clipboard": {"read_from": ["b"], "write_to": []}, "fullscreen": "deny",
            "limits": {"pages_mib": 1, "clients": 1, "surfaces": 1},
        },
        "b": {"color": "#9c0000", "transport": "local:/b"},
    },
}
DROP = object()

# Path in FULL, value put there, whether the set is good then.
CHANGES = [
    ("version", 2, False), ("version", "1", False), ("version", DROP, False),
    ("vms", DROP, False), ("vms", [], False), ("vms", {}, True),
    ("guivm", DROP, True), ("guivm", None, False), ("extra", 1, False), ("$schema", 7, False),
    ("guivm/extra", 1, False), ("guivm/keyboard/extra", 1, False), ("guivm/border/extra", 1, False),
    ("guivm/keyboard", [], False), ("guivm/keyboard/layout", 7, False),
    ("guivm/keyboard/layout", "u\ns", False),
    ("guivm/keyboard/repeat_rate", 0, True), ("guivm/keyboard/repeat_rate", 200, True),
    ("guivm/keyboard/repeat_rate", 201, False), ("guivm/keyboard/repeat_rate", -1, False),
    ("guivm/keyboard/repeat_delay_ms", 49, False), ("guivm/keyboard/repeat_delay_ms", 50, True),
    ("guivm/keyboard/repeat_delay_ms", 10000, True),
    ("guivm/keyboard/repeat_delay_ms", 10001, False),
    ("guivm/border/width", 1, False), ("guivm/border/width", 2, True),
    ("guivm/border/width", 32, True), ("guivm/border/width", 33, False),
    ("guivm/border/width", 4.5, False), ("guivm/border/width", "4", False),
    ("guivm/border/width", True, False),
    ("guivm/clipboard", "maybe", False), ("guivm/clipboard", "deny", True),
    ("guivm/clipboard", "allow", True), ("guivm/clipboard", 1, False),
    ("guivm/background", "black", False), ("guivm/background", "#fff", False),
    ("guivm/background", "#FFffFF", True), ("guivm/color", "#1234567", False),
    ("vms/1st", {"color": "#00ff00", "transport": "local:/c"}, False),
    ("vms/guivm", {"color": "#00ff00", "transport": "local:/c"}, False),
    ("vms/c-d_2", {"color": "#00ff00", "transport": "local:/c"}, True),
    ("vms/" + "c" * 31, {"color": "#00ff00", "transport": "local:/c"}, True),
    ("vms/" + "c" * 32, {"color": "#00ff00", "transport": "local:/c"}, False),
    ("vms/c", None, False), ("vms/c", {}, False),
    ("vms/work/extra", 1, False), ("vms/work/color", DROP, False),
    ("vms/work/color", "0050d0", False), ("vms/work/color", "#0050dg", False),
    ("vms/work/transport", DROP, False), ("vms/work/transport", 7, False),
    ("vms/work/label", DROP, True), ("vms/work/label", "", False), ("vms/work/label", "  ", False),
    ("vms/work/label", "W" * 64, True), ("vms/work/label", "W" * 65, False),
    ("vms/work/label", "a\u202eb", False), ("vms/work/label", "T\u00f6ihin", True),
    ("vms/work/trust", "full", False), ("vms/work/trust", "normal", True),
    ("vms/work/start", [], False), ("vms/work/start", [""], False), ("vms/work/start", "x", False),
    ("vms/work/start", ["x", 1], False), ("vms/work/start", ["x"] * 64, True),
    ("vms/work/start", ["x"] * 65, False), ("vms/work/start", DROP, False),
    ("vms/work/start", ["x", "a\nb"], True), ("vms/work/start", ["x\u0000"], False),
    ("vms/work/start", ["x" * 4096], True), ("vms/work/start", ["x" * 4097], False),
    ("vms/work/autostart", "yes", False), ("vms/work/autostart", False, True),
    ("vms/work/memory_mib", 0, False), ("vms/work/memory_mib", 16777216, True),
    ("vms/work/memory_mib", 16777217, False), ("vms/work/vcpus", 0, False),
    ("vms/work/vcpus", 1024, True), ("vms/work/vcpus", 1025, False),
    ("vms/work/applications", {}, False), ("vms/work/applications", [], True),
    ("vms/work/applications", [1], False),
    ("vms/work/applications/0/name", DROP, False), ("vms/work/applications/0/name", "", False),
    ("vms/work/applications/0/name", "n" * 128, True),
    ("vms/work/applications/0/name", "n" * 129, False),
    ("vms/work/applications/0/exec", DROP, False), ("vms/work/applications/0/exec", [], False),
    ("vms/work/applications/0/extra", 1, False),
    ("vms/work/applications/0/description", "a\tb", False),
    ("vms/work/applications/0/icon", 1, False),
    ("vms/work/applications/0/categories", ["A;B"], False),
    ("vms/work/applications/0/categories", [""], False),
    ("vms/work/applications/0/categories", ["A"] * 16, True),
    ("vms/work/applications/0/categories", ["A"] * 17, False),
    ("vms/work/clipboard", [], False), ("vms/work/clipboard/extra", [], False),
    ("vms/work/clipboard/read_from", "b", False), ("vms/work/clipboard/write_to", [1], False),
    ("vms/work/fullscreen", "never", False), ("vms/work/fullscreen", "ask", True),
    ("vms/work/inhibit_shortcuts", "yes", False), ("vms/work/inhibit_shortcuts", True, True),
    ("vms/work/limits/extra", 1, False), ("vms/work/limits/pages_mib", 0, False),
    ("vms/work/limits/pages_mib", 65536, True), ("vms/work/limits/pages_mib", 65537, False),
    ("vms/work/limits/clients", 0, False), ("vms/work/limits/clients", 1024, True),
    ("vms/work/limits/clients", 1025, False), ("vms/work/limits/surfaces", 0, False),
    ("vms/work/limits/surfaces", 65536, True), ("vms/work/limits/surfaces", 65537, False),
]


def changed(path, value):
    result = copy.deepcopy(FULL)
    *parents, last = [int(key) if key.isdigit() else key for key in path.split("/")]
    place = result
    for key in parents:
        place = place[key]
    if value is DROP:
        del place[last]
    else:
        place[last] = value
    return result


def many_vms(count):
    """Colours far enough apart are few; sixty-five VMs fail in the reader for both reasons."""
    return {"version": 1, "vms": {f"v{i}": {"color": f"#{i:06x}", "transport": f"local:/{i}"}
                                  for i in range(count)}}


def judge(program, cases, folder):
    files = []
    for number, (_, document, _) in enumerate(cases):
        files.append(folder / f"{number}.json")
        files[-1].write_text(json.dumps(document, indent=1), encoding="utf-8")
    run = subprocess.run([program, *files], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         text=True, check=True)
    return [line == "good" for line in run.stdout.split()]


def main(schema_path, program, *good_files):
    schema = json.loads(pathlib.Path(schema_path).read_text(encoding="utf-8"))
    cases = [("the full set", FULL, True), ("65 VMs", many_vms(65), False)]
    cases += [(f"{path} = {str(value)[:30]!r}" if value is not DROP else f"no {path}",
               changed(path, value), good) for path, value, good in CHANGES]
    for path in good_files:
        cases.append((pathlib.Path(path).name, json.loads(pathlib.Path(path).read_text()), True))
    if jsonschema is None:
        print("ok 1 - schema # SKIP python3-jsonschema is not installed\n1..1")
        print("0 passed, 0 failed, 1 skipped")
        return 0
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    with tempfile.TemporaryDirectory() as folder:
        by_reader = judge(program, cases, pathlib.Path(folder))
    failed = 0
    for number, ((name, document, good), reader) in enumerate(zip(cases, by_reader), 1):
        by_schema = validator.is_valid(document)
        agree = by_schema == reader == good
        failed += not agree
        if not agree:
            print(f"# expected {good}, schema says {by_schema}, reader says {reader}")
        print(f"{'ok' if agree else 'not ok'} {number} - {name.encode('unicode_escape').decode()}")
    print(f"1..{len(cases)}")
    print(f"{len(cases) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes docs/protocols.md from allow.list and withheld.list.

docs.py OUT.md           writes it
docs.py --check FILE.md  fails when it is not what would be written
"""

import os
import sys

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HEAD = """# Wayland protocols

What applications in VMs can use, and what not. Made by `protocol/gen/docs.py` from
`protocol/allow.list` and `protocol/withheld.list`: do not edit. A version is the highest that is
passed; the compositor's own may be lower. Interfaces that are not listed do not pass.

## Forwarded

| interface | version | why |
|---|---|---|
"""
MIDDLE = """
## Withheld from VMs

*local*: programs of the GUI VM can use it. *relay*: only `guivm-relay`. *none*: `guivm-server` does
not offer it to anybody.

| interface | version | offered to | why |
|---|---|---|---|
"""
OFFERED_TO = ("local", "relay", "none")


def read(name, words):
    entries = []
    with open(os.path.join(HERE, name), encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            line = line.split("#", 1)[0].strip()
            if not line:
                continue
            entry = line.split(None, words - 1)
            if len(entry) != words or not entry[1].isdigit():
                sys.exit(f"{name}:{number}: want {words} columns")
            entries.append(entry)
    return sorted(entries)


def text():
    allowed, withheld = read("allow.list", 3), read("withheld.list", 4)
    both = {entry[0] for entry in allowed} & {entry[0] for entry in withheld}
    if both:
        sys.exit(f"in both lists: {', '.join(sorted(both))}")
    wrong = [entry[0] for entry in withheld if entry[2] not in OFFERED_TO]
    if wrong:
        sys.exit(f"withheld.list: {', '.join(wrong)}: offered to whom?")
    rows = [f"| `{name}` | {version} | {why} |" for name, version, why in allowed]
    more = [f"| `{name}` | {version} | {who} | {why} |" for name, version, who, why in withheld]
    return HEAD + "\n".join(rows) + "\n" + MIDDLE + "\n".join(more) + "\n"


def main(argv):
    if len(argv) == 3 and argv[1] == "--check":
        with open(argv[2], encoding="utf-8") as file:
            if file.read() == text():
                print("1 passed, 0 failed, 0 skipped")
                return 0
        print(f"{argv[2]} is stale: run protocol/gen/docs.py docs/protocols.md\n"
              "0 passed, 1 failed, 0 skipped")
        return 1
    if len(argv) == 2 and not argv[1].startswith("-"):
        with open(argv[1], "w", encoding="utf-8") as file:
            file.write(text())
        return 0
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv))

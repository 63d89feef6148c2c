#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A manual page and --help name the same options. Arguments: the page, the program."""
import re
import subprocess
import sys
import unittest

PAGE, PROGRAM = sys.argv[1:3]
OPTION = re.compile(r'(?<![\w-])--[a-z][a-z-]*')


def plain(page):
    """Without examples, and without the marks of bold, underlined and literal text."""
    page = re.sub(r'^```$.*?^```$', '', page, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r'[*_\\]', '', page)


class Manual(unittest.TestCase):
    def setUp(self):
        with open(PAGE) as file:
            self.page = plain(file.read())
        run = subprocess.run([PROGRAM, '--help'], capture_output=True, text=True, check=True)
        self.help = run.stdout

    def test_options_are_the_same(self):
        self.assertEqual(sorted(set(OPTION.findall(self.page))), sorted(set(OPTION.findall(self.help))))

    def test_every_option_takes_what_the_page_says(self):
        """--name VALUE in one is --name VALUE in the other."""
        value = re.compile(r'(--[a-z][a-z-]*) ([A-Z]+)\b')
        self.assertEqual(sorted(set(value.findall(self.page))), sorted(set(value.findall(self.help))))

    def test_the_page_has_what_every_page_has(self):
        for section in ('NAME', 'SYNOPSIS', 'DESCRIPTION', 'OPTIONS', 'EXIT STATUS', 'SEE ALSO'):
            self.assertIn(f'\n# {section}\n', self.page)


if __name__ == '__main__':
    result = unittest.main(argv=sys.argv[:1], exit=False).result
    failed = len(result.failures) + len(result.errors)
    for test, reason in result.skipped:
        print(f'# skipped: {test.id()}: {reason}')
    print(f'{max(0, result.testsRun - failed - len(result.skipped))} passed, {failed} failed, {len(result.skipped)} skipped')
    sys.exit(failed > 0)

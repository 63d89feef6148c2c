#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What `meson install` puts where, and whether it is of use there.

Installed into a folder, and looked at from a root made of it, as a package's files would be.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

BUILD = os.environ['ISTHMUS_BUILD']
SOURCE = os.environ['ISTHMUS_SOURCE']
PREFIX = os.environ['ISTHMUS_PREFIX']
ENDS = set(os.environ['ISTHMUS_ENDS'].split())
HERE = os.path.dirname(os.path.abspath(__file__))

# systemd's own measure of what a service could do, from 0 (nothing) to 10 (everything); at most so many
# tenths. The service in which applications run has to leave them what browsers need.
EXPOSURE = {'system/guivm-server.service': 20, 'system/appvm-proxy.service': 40,
            'user/appvm-proxy.service': 25}


def run(*words, **options):
    return subprocess.run(words, capture_output=True, text=True, check=False, **options)


def manifest():
    with open(f'{HERE}/manifest.txt') as file:
        lines = [line.split() for line in file if not line.startswith('#')]
    return {path for parts, path in lines if set(parts.split(',')) <= ENDS | {'all'}}


def needs(program):
    return unittest.skipIf(shutil.which(program) is None, f'{program} is not installed')


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.root = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.root)
        done = run('meson', 'install', '-C', BUILD, '--no-rebuild', '--strip', '--destdir', cls.root)
        assert done.returncode == 0, done.stdout + done.stderr
        cls.prefix = cls.root + PREFIX
        cls.files = sorted(os.path.relpath(f'{folder}/{name}', cls.prefix)
                           for folder, _, names in os.walk(cls.root) for name in names)
        cls.programs = [path for path in cls.files if path.startswith('bin/')]
        cls.units = [path for path in cls.files if path.startswith('lib/systemd/')]

    def ok(self, *words, **options):
        result = run(*words, **options)
        self.assertEqual(result.returncode, 0, f'{" ".join(words)}\n{result.stdout}{result.stderr}')
        return result

    def test_files_are_those_of_the_manifest(self):
        self.assertEqual(self.files, sorted(manifest()))

    def test_modes_are_a_packages(self):
        for path in self.files:
            program = path.startswith(('bin/', 'libexec/'))
            mode = os.stat(f'{self.prefix}/{path}').st_mode & 0o7777
            self.assertEqual(mode, 0o755 if program else 0o644, path)

    def test_programs_run_where_they_were_installed(self):
        for path in self.programs:
            result = self.ok(f'{self.prefix}/{path}', '--version')
            self.assertRegex(result.stdout, rf'^{os.path.basename(path)} \d+\.\d+')

    @unittest.skipIf('sanitized' in ENDS, 'sanitizers keep the names of source files')
    def test_nothing_knows_where_it_was_built(self):
        for path in self.files:
            with open(f'{self.prefix}/{path}', 'rb') as file:
                content = file.read()
            for folder in (SOURCE, BUILD, self.root):
                self.assertNotIn(folder.encode(), content, path)

    @needs('readelf')
    def test_programs_look_for_libraries_where_the_system_has_them(self):
        for path in self.programs:
            dynamic = self.ok('readelf', '-dW', f'{self.prefix}/{path}').stdout
            self.assertNotIn('RPATH', dynamic, path)
            self.assertNotIn('RUNPATH', dynamic, path)

    def test_nothing_is_left_to_fill_in(self):
        for path in self.files:
            if not path.startswith('bin/'):
                with open(f'{self.prefix}/{path}') as file:
                    self.assertNotRegex(file.read(), r'@[A-Za-z_]+@', path)

    def test_the_example_is_a_vm_set(self):
        example = f'{self.prefix}/share/isthmus/vmset.example.json'
        if 'guivm' in ENDS:
            result = self.ok(f'{self.prefix}/bin/guivmctl', 'check', example)
            self.assertIn('no errors, 0 warnings', result.stdout)
        with open(example) as file, open(f'{self.prefix}/share/isthmus/vmset.schema.json') as schema:
            content, schema = json.load(file), json.load(schema)
        try:
            import jsonschema
        except ImportError:
            self.skipTest('python3-jsonschema is not installed')
        jsonschema.validate(content, schema)


    def unit_copies(self, scope):
        """The units of one service manager, with the programs that were installed now."""
        folder = f'{self.root}/units/{scope}'
        os.makedirs(folder, exist_ok=True)
        self.addCleanup(shutil.rmtree, folder)
        copies = []
        for path in self.units:
            if f'/{scope}/' in path:
                copies.append(f'{folder}/{os.path.basename(path)}')
                with open(f'{self.prefix}/{path}') as source, open(copies[-1], 'w') as copy:
                    copy.write(source.read().replace(f'{PREFIX}/', f'{self.prefix}/'))
        return copies

    @needs('systemd-analyze')
    def test_units_are_what_systemd_reads(self):
        for scope in ('system', 'user'):
            units = self.unit_copies(scope)
            if units:
                result = self.ok('systemd-analyze', f'--{scope}', '--man=no', '--generators=no', 'verify', *units)
                self.assertEqual(result.stdout + result.stderr, '')

    @needs('systemd-analyze')
    def test_services_can_do_little(self):
        for path in self.units:
            scope, name = path.split('/')[-2:]
            if name.endswith('.service'):
                threshold = EXPOSURE[f'{scope}/{name}']
                self.ok('systemd-analyze', f'--{scope}', '--no-pager', '--offline=true', f'--threshold={threshold}',
                        'security', f'{self.prefix}/{path}')

    @needs('systemd-sysusers')
    def test_users_can_be_made(self):
        users = [f'{self.prefix}/{path}' for path in self.files if '/sysusers.d/' in path]
        made = self.ok('systemd-sysusers', '--dry-run', f'--root={self.root}', *users)
        for end, user in (('appvm', 'isthmus'), ('guivm', 'guivm')):
            if users and end in ENDS:
                self.assertIn(f"user '{user}'", made.stdout + made.stderr)

    @needs('udevadm')
    def test_udev_reads_its_rules(self):
        for path in self.files:
            if path.endswith('.rules'):
                self.ok('udevadm', 'verify', '--resolve-names=never', f'{self.prefix}/{path}')


if __name__ == '__main__':
    result = unittest.main(argv=sys.argv[:1], exit=False).result
    failed = len(result.failures) + len(result.errors)
    for test, reason in result.skipped:
        print(f'# skipped: {test.id()}: {reason}')
    print(f'{max(0, result.testsRun - failed - len(result.skipped))} passed, {failed} failed, {len(result.skipped)} skipped')
    sys.exit(failed > 0)

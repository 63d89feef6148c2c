#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Each end can be built alone, with what it needs and no more. Argument: the source folder."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

SOURCE = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else ''
HERE = os.path.dirname(os.path.abspath(__file__))
# What appvm-proxy is built with, as pkg-config names it, and what those need.
APPVM_NEEDS = ['libffi', 'libfyaml', 'pixman-1', 'wayland-client', 'wayland-protocols', 'wayland-scanner',
               'wayland-server']
PREFIX = '/opt/prefix'


def run(*words, **options):
    return subprocess.run(words, capture_output=True, text=True, check=False, **options)


def manifest(*ends):
    with open(f'{HERE}/manifest.txt') as file:
        lines = [line.split() for line in file if not line.startswith('#')]
    return sorted(f'{PREFIX}/{path}' for parts, path in lines if set(parts.split(',')) <= {'all', *ends})


class Ends(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.dir)
        self.build = f'{self.dir}/build'

    def setup_build(self, *options, **environment):
        result = run('meson', 'setup', '--prefix', PREFIX, '--buildtype', 'plain', '-Dtests=false',
                     '-Dman-pages=disabled', '-Dhost=false', *options, self.build, SOURCE, env={**os.environ, **environment})
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def installed(self):
        with open(f'{self.build}/meson-info/intro-installed.json') as file:
            return sorted(json.load(file).values())

    def test_an_application_vm_needs_no_compositor_to_be_built(self):
        """Nor to be linked: only these libraries can be found."""
        needs = f'{self.dir}/pkgconfig'
        os.mkdir(needs)
        for name in APPVM_NEEDS:
            folder = run('pkg-config', '--variable=pcfiledir', name).stdout.strip()
            os.symlink(f'{folder}/{name}.pc', f'{needs}/{name}.pc')
        self.setup_build('-Dguivm=disabled', '-Drelay=false', PKG_CONFIG_LIBDIR=needs, PKG_CONFIG_PATH='')
        self.assertEqual(self.installed(), manifest('appvm', 'services'))
        built = run('ninja', '-C', self.build)
        self.assertEqual(built.returncode, 0, built.stdout)
        version = run(f'{self.build}/appvm-proxy/appvm-proxy', '--version')
        self.assertRegex(version.stdout, r'^appvm-proxy \d')

    def test_a_gui_vm_gets_nothing_of_an_application_vm(self):
        if run('pkg-config', '--exists', 'wlroots-0.20').returncode != 0:
            self.skipTest('wlroots 0.20 is not installed')
        self.setup_build('-Dguivm=enabled', '-Dappvm=false')
        self.assertEqual(self.installed(), manifest('guivm', 'relay', 'services'))

    def test_a_relay_alone_serves_another_compositor(self):
        self.setup_build('-Dguivm=disabled', '-Dappvm=false', '-Dservices=false')
        self.assertEqual(self.installed(), manifest('relay'))

    def test_a_host_gets_its_server_alone(self):
        self.setup_build('-Dguivm=disabled', '-Dappvm=false', '-Drelay=false', '-Dservices=false', '-Dhost=true')
        self.assertEqual(self.installed(), manifest('host'))

    def test_a_gui_vm_without_a_relay_is_refused(self):
        result = run('meson', 'setup', '-Dguivm=enabled', '-Drelay=false', self.build, SOURCE)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn('needs -Drelay=true', result.stdout + result.stderr)

    def test_big_endian_machines_are_refused_by_meson(self):
        with open(f'{self.dir}/big.ini', 'w') as file:
            file.write("[binaries]\nc = 'cc'\npkg-config = 'pkg-config'\n[properties]\nneeds_exe_wrapper = true\n"
                       "[host_machine]\nsystem = 'linux'\ncpu_family = 's390x'\ncpu = 's390x'\nendian = 'big'\n")
        result = run('meson', 'setup', '--cross-file', f'{self.dir}/big.ini', self.build, SOURCE)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn('big-endian', result.stdout + result.stderr)

    def test_big_endian_machines_are_refused_by_the_compiler(self):
        compile_link = ['cc', '-D_GNU_SOURCE', f'-I{SOURCE}', '-fsyntax-only', '-Wno-builtin-macro-redefined']
        as_big = ['-U__BYTE_ORDER__', '-D__BYTE_ORDER__=__ORDER_BIG_ENDIAN__']
        link = f'{SOURCE}/protocol/link.c'
        self.assertEqual(run(*compile_link, link).returncode, 0)
        result = run(*compile_link, *as_big, link)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn('big-endian', result.stderr)


if __name__ == '__main__':
    result = unittest.main(argv=sys.argv[:1], exit=False).result
    failed = len(result.failures) + len(result.errors)
    for test, reason in result.skipped:
        print(f'# skipped: {test.id()}: {reason}')
    print(f'{max(0, result.testsRun - failed - len(result.skipped))} passed, {failed} failed, {len(result.skipped)} skipped')
    sys.exit(failed > 0)

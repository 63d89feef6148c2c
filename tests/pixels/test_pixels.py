# SPDX-License-Identifier: Apache-2.0
"""Random client programs show the same pixels natively and over every way of the bridge."""
import os
import subprocess
import sys

import desktop
from desktop import BUILD, Case, Desktop

WAYS = {
    'handover': 'local:@DIR@/handover',
    'arena': 'local:@DIR@/arena,pixels=arena',
    'inline': 'stream:unix:@DIR@/inline.sock',
}
COLORS = {'handover': '#1b7f3b', 'arena': '#2a5bd7', 'inline': '#c9a227'}
FIRST = int(os.environ.get('ISTHMUS_PIXELS_FIRST', '1'))
COUNT = int(os.environ.get('ISTHMUS_PIXELS_COUNT', '80'))

class Pixels(Case):
    def test_random_programs_look_the_same_over_every_way(self):
        options = {name: {'transport': spec} for name, spec in WAYS.items()}
        with Desktop(vms=COLORS, options=options, size=(1440, 900), refresh=240) as d:
            d.start_proxies()
            d.input.move(1439, 899)  # the cursor is drawn, too
            ways = [f'--way={name}={d.dir}/appvm-{name}/wayland-isthmus-0' for name in WAYS]
            verbose = ['--verbose'] if os.environ.get('ISTHMUS_PIXELS_VERBOSE') else []
            sys.stdout.flush()
            result = subprocess.run(
                [f'{BUILD}/tests/pixels/isthmus-test-pixels', *verbose, *ways, str(FIRST), str(COUNT)],
                env=d.env)

            self.assertEqual(result.returncode, 0)

if __name__ == '__main__':
    desktop.main()

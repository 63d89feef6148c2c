# SPDX-License-Identifier: Apache-2.0
"""The same pixels by every way: handed over, through arenas, inline."""
import desktop
from desktop import VMS, Case, Desktop

WAYS = {
    'handover': {},
    'arena': {'suffix': ',pixels=arena'},
    'inline': {'transport': 'stream'},
    'kvm': {'transport': 'kvm'},
}


class Transports(Case):
    def content(self, application, **way):
        with Desktop(vms={'work': VMS['work']}, **way) as d:
            d.start_proxies()
            window = d.launch('work', application)
            x, y, width, height = window.box

            def settled():
                # Two looks in a row that agree: the application has drawn itself.
                first = d.screenshot().colors(window.box)
                return first if len(first) > 1 and first == d.screenshot().colors(window.box) else None

            colors = d.until('a still picture', settled)
            self.assert_frame(d.screenshot(), d.window(window.id), VMS['work'])
            return (width, height), colors

    def test_a_gtk_window_looks_the_same(self):
        looks = {name: self.content('Gtk4', **way) for name, way in WAYS.items()}
        self.assertEqual(looks['arena'], looks['handover'])
        self.assertEqual(looks['inline'], looks['handover'])
        self.assertEqual(looks['kvm'], looks['handover'])

    def test_the_compositor_maps_arenas_and_nothing_else_for_reading(self):
        for name in ('arena', 'kvm'):
            with self.subTest(name), Desktop(vms={'work': VMS['work']}, **WAYS[name]) as d:
                d.start_proxies()
                for application in ('Gtk4', 'Shm', 'Flower'):
                    d.launch('work', application)
                with open(f'/proc/{d.server.pid}/maps') as file:
                    lines = [line.split() for line in file
                             if 'isthmus-pages' in line or any(path in line for path in d.memories)]
                # Three applications, one mapping of each arena.
                self.assertEqual({line[1] for line in lines}, {'r--s'}, lines)
                self.assertEqual(len({line[0] for line in lines}),
                                 len({(line[2], line[4]) for line in lines}), lines)
                self.assertTrue(name != 'kvm' or all(int(line[2], 16) > 0 for line in lines), lines)

    def test_subsurfaces_and_animations_arrive(self):
        for name, way in WAYS.items():
            with self.subTest(name), Desktop(vms={'work': VMS['work']}, **way) as d:
                d.start_proxies()
                for application in ('Subsurfaces', 'Smoke', 'Damage', 'Shm', 'Flower'):
                    d.launch('work', application)
                first = d.screenshot().data
                d.until('a picture that moves', lambda: d.screenshot().data != first)
                self.assertEqual(d.vm_status('work')['relay_restarts'], 0)


if __name__ == '__main__':
    desktop.main()

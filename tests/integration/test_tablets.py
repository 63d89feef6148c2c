# SPDX-License-Identifier: Apache-2.0
"""Pads of drawing tablets: their buttons, rings, strips and modes reach the application that has the keyboard."""
import desktop
from desktop import BUILD, VMS, Case, Desktop
from protocol_client import Client

DEVICES = f'{BUILD}/tests/integration/isthmus-test-devices'

TABLET = 'tablet Isthmus test tablet'
PAD = ('pad has 4 buttons', 'group has 2 modes', 'group has 4 buttons', 'group has a strip', 'group has a ring',
       'group done', 'pad done')


class Pads(Case):
    def setUp(self):
        vms = {'work': VMS['work'], 'untrusted': VMS['untrusted']}
        self.desktop = Desktop(vms=vms, touch=True, size=(1400, 720))
        self.enterContext(self.desktop)
        self.desktop.start_proxies()

    def client(self, vm):
        client = Client(self.desktop, vm, program=DEVICES)
        self.addCleanup(client.kill)
        self.desktop.until('its window', lambda: any(w.vm == vm for w in self.desktop.windows()))
        return client

    def click_on(self, vm):
        window = next(w for w in self.desktop.windows() if w.vm == vm)
        self.desktop.input.click(window.x + 20, window.y + 20)

    def play(self, *lines):
        for line in lines:
            self.desktop.touch.line(line)

    def next(self, client, *lines):
        """Exactly these are the next that it says."""
        for line in lines:
            self.assertEqual(client.next(), line)

    def plugged(self, client):
        """After that the pad is the client's, which has the keyboard."""
        self.play('plug tablet', 'plug pad')
        self.next(client, TABLET, *PAD, 'pad enters', 'mode 0')

    def test_buttons_rings_strips_and_modes_reach_the_application(self):
        client = self.client('work')
        self.plugged(client)
        self.play('pad button 2 1 0', 'pad button 2 0 0')
        self.next(client, 'pad button 2 1', 'pad button 2 0')
        self.play('pad ring 90', 'pad ring 270', 'pad ring -1')
        for line in ('ring at 90', 'ring at 270', 'ring stops'):
            self.next(client, 'ring by finger', line, 'ring frame')
        self.play('pad strip 500000', 'pad strip -1')
        for line in ('strip at 32767', 'strip stops'):
            self.next(client, 'strip by finger', line, 'strip frame')
        # The group's mode is told before the button that comes in it.
        self.play('pad button 0 1 1', 'pad button 0 0 1')
        self.next(client, 'mode 1', 'pad button 0 1', 'pad button 0 0')

    def test_a_pad_goes_where_the_keyboard_goes(self):
        work = self.client('work')
        self.plugged(work)
        untrusted = self.client('untrusted')
        untrusted.expect('pad done')
        self.click_on('untrusted')
        self.next(work, 'pad leaves')
        self.assertEqual(untrusted.expect('pad enters'), '')
        self.play('pad button 1 1 0', 'pad button 1 0 0', 'pad ring 45')
        self.assertEqual(untrusted.expect('ring at'), '45')
        self.click_on('work')
        self.next(work, 'pad enters', 'mode 0')
        # A pen that is over another window does not take the pad along.
        window = next(w for w in self.desktop.windows() if w.vm == 'untrusted')
        self.play('pen near ' + self.desktop.touch.place(window.x + 50, window.y + 50))
        untrusted.expect('near')
        self.play('pad button 3 1 0')
        work.expect('pad button 3 1')
        self.assertEqual(sum(line.startswith('pad button') for line in untrusted.lines), 2)

    def test_a_pad_and_its_tablet_come_and_go(self):
        client = self.client('work')
        for _ in range(2):
            self.plugged(client)
            self.play('unplug pad')
            self.next(client, 'pad removed')
            self.play('unplug tablet')
        # The pad first: it waits for its tablet.
        self.play('plug pad')
        self.next(client, *PAD)
        self.play('plug tablet')
        self.next(client, TABLET, 'pad enters', 'mode 0')
        self.play('unplug tablet')
        self.next(client, 'pad leaves')
        # wlroots would go on sending to the last one that had the pad.
        self.play('pad button 1 1 0', 'pad ring 10', 'pad strip 10', 'plug tablet')
        self.next(client, TABLET, 'pad enters', 'mode 0')

    def test_an_application_that_dies_with_the_pad_is_no_harm(self):
        client = self.client('work')
        self.plugged(client)
        client.kill()
        self.play('pad button 1 1 0', 'pad ring 10')
        self.desktop.wait_gone(0)
        other = self.client('work')
        other.expect('pad enters')
        self.play('pad button 1 0 0')
        self.assertEqual(other.expect('pad button'), '1 0')


if __name__ == '__main__':
    desktop.main()

# SPDX-License-Identifier: Apache-2.0
"""Cost grows with what changes, not with what exists."""
from desktop import Desktop, resident_kib, select_wait, wakeups
from ways import Meter, Way
from workloads import CLIENT, Load


# A VM set refuses colours that look alike.
COLORS = ['#e6194b', '#3cb44b', '#ffe119', '#4363d8', '#f58231', '#911eb4', '#46f0f0', '#f032e6',
          '#bcf60c', '#008080', '#e6beff', '#9a6324', '#800000', '#aaffc3', '#808000', '#000075']


def many_vms(number):
    return {f'vm{i}': COLORS[i] for i in range(number)}


def start_idle(way, windows, clients=1):
    ways = []
    for _ in range(clients):
        one = Way(way, windows['desktop'])
        one.start([CLIENT, 'idle', '--windows', str(windows['each']), '--size', '120x90',
                   '--count', '1'])
        ways.append(one)
    for one in ways:
        one.expect('begin')
    return ways


def measure_idle(short):
    """16 VMs with 8 windows each, at rest."""
    n_vms, seconds = (2, 1) if short else (16, 10)
    with Desktop(vms=many_vms(n_vms), size=(1920, 1080)) as desktop:
        desktop.start_proxies()
        idle = []
        for vm in desktop.vms:
            idle += start_idle(vm, {'desktop': desktop, 'each': 8})
        pids = {'compositor': [desktop.server.pid],
                'proxy': [proxy.pid for proxy in desktop.proxies.values()],
                'relay': [desktop.vm_status(vm)['relay_pid'] for vm in desktop.vms]}

        def woken():
            return sum(wakeups(pid) for group in pids.values() for pid in group)

        def quiet():
            before = woken()
            select_wait(1)
            return woken() == before

        desktop.until('quiet', quiet)
        meter = Meter(pids)
        select_wait(seconds)
        result = meter.stop(1)
        figures = {'vms': n_vms, 'windows': 8 * n_vms, 'seconds': seconds,
                   'wakeups': result['total_wakeups'], 'cpu_ms': result['total_cpu_ms'],
                   'proxy_mib': max(map(resident_kib, pids['proxy'])) / 1024,
                   'relay_mib': max(map(resident_kib, pids['relay'])) / 1024,
                   'compositor_mib': resident_kib(desktop.server.pid) / 1024}
        for one in idle:
            one.stop()
    return figures


def measure_many(short):
    """One VM with many applications and windows: what a frame of one more costs."""
    clients = 3 if short else 100
    load = Load('256x256 of 800x600', ['frames', '--size', '800x600', '--damage', '256x256'],
                600, 10)
    options = {'arena': {'transport': 'local:@DIR@/arena,pixels=arena',
                         'limits': {'clients': clients + 8}}}
    with Desktop(vms={'arena': '#2a5bd7'}, size=(1920, 1080), options=options,
                 refresh=1000) as desktop:
        desktop.start_proxies()
        count = load.short_count if short else load.count
        alone = load.run(Way('arena', desktop), count)
        idle = start_idle('arena', {'desktop': desktop, 'each': 2}, clients)
        crowded = load.run(Way('arena', desktop), count)
        for one in idle:
            one.stop()
    return {'applications': clients, 'windows': 2 * clients, 'alone': alone, 'crowded': crowded}


def measure(short):
    return {'idle': measure_idle(short), 'many': measure_many(short)}

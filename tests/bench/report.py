# SPDX-License-Identifier: Apache-2.0
"""Tables, targets, comparison and plot of what was measured."""
import math
import statistics

from workloads import APPLICATIONS, FAST, NO_SCANOUT, SMALL

WORKLOADS = {workload.name: workload for workload in FAST + SMALL + NO_SCANOUT + APPLICATIONS}


def median(runs, *path):
    """0 when there is nothing. A run that failed is None."""
    values = []
    for run in runs:
        if run is None:
            continue
        for key in path:
            run = run.get(key, 0) if isinstance(run, dict) else run
        values.append(run)
    return statistics.median(values) if values else 0


def spread(runs, *path):
    values = [run for run in runs if run is not None]
    for key in path:
        values = [value.get(key, 0) for value in values]
    return (max(values) - min(values)) / 2 if values else 0


def pairs_of(ways, way, other):
    """The runs of two ways in the same rounds, where both have one."""
    pairs = zip(ways.get(way, []), ways.get(other, []))
    return [(a, b) for a, b in pairs if a is not None and b is not None]


def over_native(ways, way, *path):
    """The median of the differences within each round: what else ran then, ran for both."""
    pairs = pairs_of(ways, way, 'native')
    return statistics.median([median([a], *path) - median([b], *path) for a, b in pairs] or [0])


def ratio(ways, way, other, *path):
    pairs = pairs_of(ways, way, other)
    values = [median([a], *path) / median([b], *path) for a, b in pairs if median([b], *path)]
    return statistics.median(values) if values else 0


def print_workload(name, ways):
    workload = WORKLOADS[name]
    print(f'\n{name}: for each {workload.unit}')
    print(f'  {"":14}{"per second":>12}{"p50 us":>9}{"p95 us":>9}{"p99 us":>9}'
          f'{"between":>11}{"over native":>14}{"compositor":>13}{"wakes":>8}{"between":>8}'
          f'{"MiB":>8}{"pixels":>8}')
    scale, unit = (1000, 'us') if workload.shown_us else (1, 'ms')
    for way, runs in ways.items():
        if not any(runs):
            continue
        memory = sum(median(runs, 'resident_mib', role) for role in ('proxy', 'relay'))
        print(f'  {way:14}{median(runs, "rate"):12.0f}{median(runs, "p50_us"):9.0f}'
              f'{median(runs, "p95_us"):9.0f}{median(runs, "p99_us"):9.0f}'
              f'{median(runs, "between_cpu_ms") * scale:9.3f}{unit}'
              f'{over_native(ways, way, "total_cpu_ms") * scale:+12.3f}{unit}'
              f'{median(runs, "cpu_ms", "compositor") * scale:11.3f}{unit}'
              f'{median(runs, "total_wakeups"):8.2f}{median(runs, "between_wakeups"):8.2f}'
              f'{memory:8.1f}{median(runs, "shared_pixels_mib"):8.1f}')


def print_scale(scale):
    idle, many = scale['idle'], scale['many']
    print(f'\nscale\n  {idle["vms"]} VMs, {idle["windows"]} windows, idle for {idle["seconds"]} s: '
          f'{idle["wakeups"]:.0f} wake-ups, {idle["cpu_ms"]:.1f} ms CPU of all; resident: relay '
          f'{idle["relay_mib"]:.1f} MiB, proxy {idle["proxy_mib"]:.1f} MiB, compositor '
          f'{idle["compositor_mib"]:.1f} MiB')
    alone, crowded = many['alone'], many['crowded']
    print(f'  one VM, 256x256 of a window of 800x600: alone {alone["rate"]:.0f} per second, '
          f'{alone["total_cpu_ms"]:.3f} ms each; beside {many["applications"]} applications with '
          f'{many["windows"]} windows {crowded["rate"]:.0f} per second, '
          f'{crowded["total_cpu_ms"]:.3f} ms each')


def print_table(data):
    floors = data['floors']
    print('floor: ' + ', '.join(f'{what} {median(runs, "p50_us"):.0f} us (p99 '
                                f'{median(runs, "p99_us"):.0f})' for what, runs in floors.items()))
    for name, ways in data['workloads'].items():
        if any(map(any, ways.values())):
            print_workload(name, ways)
    for name, reason in data.get('skipped', {}).items():
        print(f'\n{name}: skipped: {reason}')
    if data.get('scale'):
        print_scale(data['scale'])
    for failure in data.get('failed', []):
        print(f'\nFAILED: {failure["workload"]}: {failure["way"]}: {failure["error"]}')
    print('''
Absolute figures (times, rates, memory) are this machine's, at this moment. What compares between
machines are ratios of one run: one way against another, or against the floor beside it.
first between: CPU of proxy and relay (waypipe's two ends). over native: CPU of all processes less
that of the native run in the same round. wakes: of all processes, of those between alone. MiB: resident, proxy
and relay; an application's own buffers count where they are mapped. pixels: memory of arenas.''')


def target_rows(data):
    """(what, limit, measured, met) of the targets that this run can tell."""
    w = {name: {way: runs for way, runs in ways.items() if any(runs)}
         for name, ways in data['workloads'].items()}
    memcpy = {size: median(data['floors'][f'memcpy {size}'], 'p50_us') / 1000
              for size in ('1600x900', '3840x2160')}
    full, small = w.get('full 1600x900', {}), w.get('256x256 of 1600x900', {})
    rows = []

    def at_most(what, limit, value, unit, known=True):
        if known:
            rows.append((what, f'<= {limit:.3f} {unit}', f'{value:.3f} {unit}', value <= limit))

    for name in ('full 1600x900', '256x256 of 1600x900', 'full 3840x2160'):
        at_most(f'local, {name}: CPU over native', 0.1,
                over_native(w.get(name, {}), 'local', 'total_cpu_ms'), 'ms',
                w.get(name, {}).get('local'))
    at_most('arena, full 1600x900: CPU over native (memcpy + 60 us)', memcpy['1600x900'] + 0.06,
            over_native(full, 'arena', 'total_cpu_ms'), 'ms', full.get('arena'))
    uhd = w.get('full 3840x2160', {})
    at_most('arena, full 3840x2160: CPU over native (1.3 memcpy + 0.1 ms)',
            1.3 * memcpy['3840x2160'] + 0.1, over_native(uhd, 'arena', 'total_cpu_ms'), 'ms',
            uhd.get('arena'))
    at_most('arena, 256x256: CPU over native', 0.08, over_native(small, 'arena', 'total_cpu_ms'),
            'ms', small.get('arena'))
    for name, limit in (('full 1600x900, no scan-out', 0.45), ('256x256, no scan-out', 0.12)):
        at_most(f'arena, {name}: CPU over native', limit,
                over_native(w.get(name, {}), 'arena', 'total_cpu_ms'), 'ms',
                w.get(name, {}).get('arena'))
    for way in ('local', 'arena'):
        at_most(f'{way}, 256x256: wake-ups per frame, proxy and relay', 4,
                median(small.get(way, []), 'between_wakeups'), '', small.get(way))
        at_most(f'{way}, 256x256: wake-ups per frame, all', 4,
                median(small.get(way, []), 'total_wakeups'), '', small.get(way))
    if full.get('stream') and full.get('waypipe none'):
        at_most('stream, full 1600x900: CPU between, of waypipe none\'s', 0.5,
                ratio(full, 'stream', 'waypipe none', 'between_cpu_ms'), '')
    if full.get('arena') and full.get('native'):
        share = ratio(full, 'arena', 'native', 'rate')
        rows.append(('arena, full 1600x900: frames per second, of native', '>= 0.950',
                     f'{share:.3f}', share >= 0.95))
    for name in ('round trips', 'round trips, one CPU', 'round trips, busy machine'):
        trips = w.get(name, {})
        for figure in ('p50_us', 'p99_us'):
            # The echo beside it, of the same seconds.
            ratios = [run[figure] / run[f'echo_{figure}'] for run in trips.get('arena', [])
                      if run is not None and run.get(f'echo_{figure}')]
            if ratios:
                at_most(f'arena, {name}: {figure[:3]}, of an echo through as many processes',
                        1.1, statistics.median(ratios), '')
            if trips.get('arena') and trips.get('waypipe none'):
                at_most(f'arena, {name}: {figure[:3]}, of waypipe none\'s', 1,
                        ratio(trips, 'arena', 'waypipe none', figure), '')
    storm = w.get('small requests', {})
    if storm.get('arena'):
        rate = median(storm['arena'], 'rate') / 1e6
        rows.append(('arena: small requests', '>= 3.000 M/s', f'{rate:.3f} M/s', rate >= 3))
    photon, start = w.get('input to photon', {}), w.get('start to first frame', {})
    for way in ('local', 'arena'):
        at_most(f'{way}: input to photon, p99 over native', 1,
                over_native(photon, way, 'p99_us') / 1000, 'ms', photon.get(way))
        at_most(f'{way}: start to first frame over native', 20,
                over_native(start, way, 'p50_us') / 1000, 'ms', start.get(way))
    for name, size in (('full 3840x2160', 3840 * 2160), ('buffer per frame 1600x900', 1600 * 900)):
        at_most(f'arena, {name}: shared pixels, in frames', 3,
                median(w.get(name, {}).get('arena', []), 'shared_pixels_mib') * 2**20 / (4 * size),
                '', w.get(name, {}).get('arena'))
    if data.get('scale'):
        many = data['scale']['many']
        rate = many['crowded']['rate']
        rows.append((f'beside {many["applications"]} applications with {many["windows"]} windows in one '
                     'VM: frames per second', '>= 60', f'{rate:.0f}', rate >= 60))
        idle = data['scale']['idle']
        at_most(f'{idle["vms"]} VMs, idle: wake-ups', 0, idle['wakeups'], '')
        at_most('relay, idle: resident', 4, idle['relay_mib'], 'MiB')
        at_most('proxy, idle: resident', 6, idle['proxy_mib'], 'MiB')
    return rows


DOCS_BEGIN = '<!-- written by scripts/bench --docs -->\n'
DOCS_END = '<!-- end -->\n'


def write_docs(data, path):
    """Replaces the table of targets in a page."""
    with open(path) as file:
        before, rest = file.read().split(DOCS_BEGIN)
    rows = ['| target | limit | measured | |', '|---|---|---|---|']
    for what, limit, measured, met in target_rows(data):
        rows.append(f'| {what} | {limit.strip()} | {measured.strip()} | {"met" if met else "missed"} |')
    memcpy = [f'{median(data["floors"][f"memcpy {size}"], "p50_us") / 1000:.3f} ms for {size}'
              for size in ('1600x900', '3840x2160')]
    pipeline = median(data['floors'].get('pipeline 1600x900', []), 'p50_us') / 1000
    table = ('\n'.join(rows) + f'\n\nmemcpy beside it: {", ".join(memcpy)}; in a bare pipeline of three '
             f'processes over two slots: {pipeline:.3f} ms for 1600x900.\n')
    with open(path, 'w') as file:
        file.write(before + DOCS_BEGIN + table + DOCS_END + rest.split(DOCS_END)[1])


def print_targets(data):
    print(f'\n{"target":72}{"limit":>16}{"measured":>16}')
    for what, limit, measured, met in target_rows(data):
        print(f'{what:72}{limit:>16}{measured:>16}  {"met" if met else "missed"}')


def print_comparison(old, new):
    print(f'\n{"workload":28}{"way":14}{"figure":16}{"old":>10}{"new":>10}{"change":>9}'
          f'{"spread":>16}')
    for name, ways in new['workloads'].items():
        for way, runs in ways.items():
            before = old['workloads'].get(name, {}).get(way)
            if not any(before or []) or not any(runs):
                continue
            for figure in ('rate', 'p50_us', 'p99_us', 'between_cpu_ms', 'total_cpu_ms',
                           'total_wakeups'):
                a, b = median(before, figure), median(runs, figure)
                change = (b / a - 1) * 100 if a else 0
                print(f'{name:28}{way:14}{figure:16}{a:10.3f}{b:10.3f}{change:+8.1f}%'
                      f'{spread(before, figure):8.3f}{spread(runs, figure):8.3f}')


COLORS = {'native': '#555555', 'local': '#1b7f3b', 'arena': '#2a5bd7', 'stream': '#8e44ad',
          'waypipe none': '#b3261e', 'waypipe lz4': '#e67e22'}


def write_plot(data, path):
    """CPU between application and compositor per frame, logarithmic: one row of bars a workload."""
    names = [name for name in data['workloads'] if name in WORKLOADS and WORKLOADS[name].plotted]
    rows = [(name, way, median(runs, 'between_cpu_ms')) for name in names
            for way, runs in data['workloads'][name].items() if any(runs) and way != 'native']
    low, high = 0.01, max([value for _, _, value in rows] + [1])
    width, bar, left = 860, 14, 330
    height = 60 + len(rows) * (bar + 4) + len(names) * 14
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
           'font-family="sans-serif" font-size="12">',
           f'<rect width="{width}" height="{height}" fill="white"/>',
           '<text x="10" y="22" font-size="15">CPU between application and compositor, '
           'milliseconds per frame (logarithmic, less is better)</text>']
    y, last = 40, None
    for name, way, value in rows:
        if name != last:
            y += 14
            out.append(f'<text x="10" y="{y + bar - 3}">{name}</text>')
            last = name
        length = max(1, math.log(max(value, low) / low) / math.log(high / low) * (width - left - 70))
        out.append(f'<text x="{left - 8}" y="{y + bar - 3}" text-anchor="end">{way}</text>')
        out.append(f'<rect x="{left}" y="{y}" width="{length:.0f}" height="{bar}" '
                   f'fill="{COLORS[way]}"/>')
        out.append(f'<text x="{left + length + 5:.0f}" y="{y + bar - 3}">{value:.3f}</text>')
        y += bar + 4
    out.append('</svg>')
    with open(path, 'w') as file:
        file.write('\n'.join(out) + '\n')

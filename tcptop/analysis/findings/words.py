"""Numbers and names as the sentences of findings say them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime

from tcptop.model import address
from tcptop.model.cells import safe
from tcptop.model.container import Container, Workload
from tcptop.model.sample import Process, Sample
from tcptop.model.table import MAPPED, SocketTable

SIZES = ("KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
UNITS = ((86_400, "d"), (3600, "h"), (60, "min"))


def duration(seconds: float) -> str:
    """0.4 s, 42 s, 14 min, 2 h 11 min: two units at most."""
    if seconds < 9.95:
        return f"{seconds:.1f} s" if seconds % 1 > 0.05 else f"{seconds:.0f} s"
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    if seconds < 5 * 60 - 0.5:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return _two(round(seconds / 60) * 60)


def exactly(seconds: float) -> str:
    """2 h 11 min 15 s: to the second; 3.5 s."""
    if seconds < 60:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    parts, left = [], int(seconds)
    for size, unit in (*UNITS, (1, "s")):
        number, left = divmod(left, size)
        if number:
            parts.append(f"{number} {unit}")
    return " ".join(parts)


def _two(seconds: int) -> str:
    for place, (size, unit) in enumerate(UNITS):
        if seconds >= size:
            rest = seconds % size
            smaller, name = UNITS[min(place + 1, len(UNITS) - 1)]
            more = f" {rest // smaller} {name}" if rest >= smaller and unit != "min" else ""
            return f"{seconds // size} {unit}{more}"
    return f"{seconds} s"


def number(value: float) -> str:
    """1,234; below ten one decimal where there is one; unknown is said."""
    if math.isnan(value):
        return "?"
    return f"{value:,.1f}" if abs(value) < 9.95 and value % 1 > 0.05 else f"{value:,.0f}"


def count(value: float, one: str, many: str = "") -> str:
    """1 socket, 2 sockets."""
    return f"{number(value)} {one if value == 1 else many or one + 's'}"


def joined(names: Sequence[str]) -> str:
    """a, b and c"""
    *before, last = names
    return f"{', '.join(before)} and {last}" if before else last


def size(octets: float) -> str:
    """512 bytes, 64 KiB, 1.2 MiB: wherever there is room for words."""
    if octets < 1024:
        return count(int(octets), "byte")
    return " ".join(scaled(octets))


def scaled(octets: float) -> tuple[str, str]:
    """At most three digits, and their unit: none of bytes."""
    if octets < 999.5:
        return str(int(octets)), ""
    power = next((power for power in range(1, 6) if octets < 999.5 * 1024**power), 6)
    value = octets / 1024**power
    digits = f"{value:.1f}".removesuffix(".0") if value < 9.95 else f"{value:.0f}"
    return digits, SIZES[power - 1]


def percent(share: float) -> str:
    return f"{share * 100:.0f}%"


def clock_time(taken_at: float) -> str:
    """13:02:11 in local time."""
    return f"{datetime.fromtimestamp(taken_at):%H:%M:%S}"


def day(taken_at: float) -> str:
    """11-28 in local time."""
    return f"{datetime.fromtimestamp(taken_at):%m-%d}"


def called(process: Process) -> str:
    """What the operator calls it: leaky.py, where python3 says little; nginx."""
    plain = process.label is None or process.label.startswith(f"{process.name}:")
    return safe(process.name if plain or process.label is None else process.label)


def name(process: Process) -> str:
    """nginx (pid 812); leaky.py (python3, pid 812)"""
    return f"{called(process)} ({', '.join(_kind(process))})"


def who(process: Process) -> str:
    """nginx (pid 812, nginx.service); nginx (pid 812) in payments-7d4f (docker container 3f2a…)"""
    where, box = place(process), process.container
    if box is not None and box.name:
        return f"{name(process)} in {where}"
    return f"{called(process)} ({', '.join([*_kind(process), *([where] if where else [])])})"


def place(process: Process) -> str:
    """The container, else the systemd unit, that it runs in; empty where there is none."""
    return workload(Workload(process.unit, process.container))


def workload(found: Workload) -> str:
    """Its container, else its unit; empty where there is none. A slice says too little."""
    if found.container is not None:
        return safe(contained(found.container))
    unit = found.unit or ""
    return "" if unit.endswith(".slice") else safe(unit.removesuffix(".scope"))


def contained(box: Container) -> str:
    """payments-7d4f (docker container 3f2a3f2a3f2a); without a name what is in brackets"""
    kind = " ".join(filter(None, (box.runtime, "container", (box.id or "")[:12])))
    return f"{box.name} ({kind})" if box.name and box.name != box.id else kind


def ids(box: Container) -> str:
    """Its own, that of its pod, and of the container that it is nested in."""
    pod = f"pod {box.pod}" if box.pod else ""
    outer = f"inside container {box.inside}" if box.inside else ""
    return "; ".join(filter(None, (box.id, pod, outer)))


def brief(box: Container) -> str:
    """payments-7d4f; without a name docker container 3f2a3f2a3f2a"""
    return box.name or contained(box)


def _kind(process: Process) -> list[str]:
    """Its command's name, where that is not what it is called, and its pid."""
    short = safe(process.name)
    known = called(process).startswith(short)
    return [*([] if known else [short]), f"pid {process.pid}"]


def local(sample: Sample, row: int) -> str:
    """address:port as ss prints it, with the device that the socket is bound to."""
    return _endpoint(sample, row, "local")


def remote(sample: Sample, row: int) -> str:
    """The same of the other end."""
    return _endpoint(sample, row, "remote")


def remote_address(sample: Sample, row: int) -> str:
    table = sample.sockets
    text = address.remote_text(table, row)
    return text + zone(sample, row)


def zone(sample: Sample, row: int) -> str:
    """`%eth0`, or empty where it is bound to no device."""
    return sample.zone(int(sample.sockets.netns[row]), int(sample.sockets.interface[row]))


def served(sample: Sample, row: int) -> str:
    """The filter of ss for the port of a listener, and the device that it is bound to."""
    return f"sport = {port(sample.sockets, row)}{address.on_device(zone(sample, row))}"


def port(table: SocketTable, row: int) -> str:
    """:8080"""
    return f":{int(table.local_port[row])}"


def _endpoint(sample: Sample, row: int, side: str) -> str:
    hi, lo, number = (
        int(getattr(sample.sockets, f"{side}_{name}")[row]) for name in ("hi", "lo", "port")
    )
    return address.endpoint(address.text(hi, lo), number, zone(sample, row))


def in_filter(where: str) -> str:
    """An address, endpoint or network as a filter of ss takes it, which splits ::1 at the colon
    and has the device of its own."""
    text, device = address.split_zone(where)
    bare = text.count(":") > 1 and not text.startswith("[") and "/" not in text
    return (f"[{text}]" if bare else text) + address.on_device(device)


def towards(where: str, option: str) -> str:
    """An address for a command that names its device by an option: `fe80::2 oif eth0`."""
    bare, device = address.split_zone(where)
    return f"{bare} {option} {device[1:]}" if device else bare


def is_any(table: SocketTable, row: int) -> bool:
    """Whether it is bound to every address."""
    return int(table.local_hi[row]) == 0 and int(table.local_lo[row]) in (0, int(MAPPED))


def key(rule: str, *parts: object) -> str:
    """The key of a finding: the same subject has the same one from sample to sample."""
    return "/".join([rule, *(str(part) for part in parts)])

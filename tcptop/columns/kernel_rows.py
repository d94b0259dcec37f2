"""The rows of the kernel's list: counters, levels, what follows from the sysctls, the sysctls."""

from __future__ import annotations

from collections.abc import Iterator

from tcptop.analysis import levels
from tcptop.analysis.counters import GAUGES, CounterRates
from tcptop.columns import units
from tcptop.columns.column import StyleName
from tcptop.columns.kernel_computed import computed
from tcptop.columns.kernel_counters import CATALOGUE, KNOWN, TOPICS, Entry
from tcptop.columns.sysctls import SETTINGS, Sysctl
from tcptop.model.cells import cell_width, safe
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sample import Kernel
from tcptop.model.sysctls import Sysctls

NAN = float("nan")
OTHER = "Not described here; Documentation/networking/snmp_counter.rst may."
VALUE_WIDTH = 11


class KernelRow(NamedTuple):
    """One line; `value` is NaN where it is no number, `limits` are full names of sysctls."""

    kind: str  # counter, level, computed or setting
    topic: str
    name: str
    value: float
    text: str
    meaning: str
    confirm: str  # the command that shows the same
    rate: float = NAN
    limits: tuple[str, ...] = ()
    beside: str = ""
    feeds: tuple[str, ...] = ()
    style: StyleName = ""
    silent: str = ""  # why no finding tells of it


class _Gauge(NamedTuple):
    """A number of sockstat or conntrack; `warn` is the share of its limit that is too much."""

    topic: str
    protocol: str
    name: str
    meaning: str
    limit: str = ""
    warn: float = 1.0
    feeds: tuple[str, ...] = ()


GAUGES_SHOWN = (
    _Gauge("traffic", "TCP", "inuse", "IPv4 sockets, listeners among them; no TIME-WAIT."),
    _Gauge("traffic", "TCP6", "inuse", "The same of IPv6."),
    _Gauge("memory", "TCP", "alloc", "Sockets of the host, closed ones with an open fd too."),
    _Gauge("memory", "TCP", "mem", "Pages in all TCP buffers of the host.", "net.ipv4.tcp_mem",
           1.0, ("orphan-or-memory-pressure",)),
    _Gauge("closing", "TCP", "orphan", "Sockets of the host that nobody holds and that still send.",
           "net.ipv4.tcp_max_orphans", 0.5, ("orphan-or-memory-pressure", "half-closed")),
    _Gauge("closing", "TCP", "tw", "TIME-WAITs, and FIN-WAIT-2s that nobody holds.",
           "net.ipv4.tcp_max_tw_buckets", 0.8, ("time-wait-pressure",)),
)  # fmt: skip


def rows(kernel: Kernel, rates: CounterRates) -> list[KernelRow]:
    """By what happens in a connection's life; then counters of no known meaning, and sysctls."""
    found = [
        *_counters(kernel, rates),
        *_levels(kernel),
        *(
            KernelRow("computed", topic, name, value, text, meaning,
                f"sysctl {' '.join(limits)}", NAN,
                limits, _beside(limits, kernel.sysctls), feeds)
            for topic, name, value, text, meaning, limits, feeds in computed(kernel.sysctls)
        ),
        *_others(kernel, rates),
        *_settings(kernel.sysctls),
    ]  # fmt: skip
    return sorted(found, key=lambda row: TOPICS.index(row.topic))


def _counters(kernel: Kernel, rates: CounterRates) -> Iterator[KernelRow]:
    for entry in CATALOGUE:
        if entry.name in kernel.counters.get(entry.section, {}):
            yield _counter(entry, kernel, rates)


def _others(kernel: Kernel, rates: CounterRates) -> Iterator[KernelRow]:
    """What this kernel counts of TCP and the catalogue has not got."""
    for section in ("Tcp", "TcpExt"):
        for name in sorted(kernel.counters.get(section, {})):
            if (section, name) not in KNOWN and name not in GAUGES:
                yield _counter(Entry("other", section, name, (), OTHER), kernel, rates)


def _counter(entry: Entry, kernel: Kernel, rates: CounterRates) -> KernelRow:
    value = kernel.counters[entry.section][entry.name]
    rate = rates.get(entry.section, {}).get(entry.name, NAN)
    gauge = entry.name in GAUGES
    style = "warn" if entry.bad and rate > 0 else "" if gauge or rate > 0 else "dim"
    kind = "level" if gauge else "counter"
    return KernelRow(
        kind, entry.topic, entry.name, value, _count(value), entry.meaning,
        _confirm(entry), rate, entry.beside,
        _beside(entry.beside, kernel.sysctls), entry.feeds, style, entry.silent,
    )  # fmt: skip


def _confirm(entry: Entry) -> str:
    if entry.section == "conntrack":
        return "cat /proc/net/stat/nf_conntrack"
    return f"nstat -az {entry.section}{entry.name}"


def _count(value: int) -> str:
    """Exact as long as it fits."""
    exact = units.count(value)
    return exact if len(exact) <= VALUE_WIDTH else units.short_count(value)


def _beside(names: tuple[str, ...], sysctls: Sysctls) -> str:
    return "  ".join(f"{short(name)} {now(sysctls, name)}" for name in names if name in sysctls)


def now(sysctls: Sysctls, name: str) -> str:
    """A sysctl's present value as text."""
    return safe(" ".join(sysctls[name].split())) or "none"


def short(name: str) -> str:
    """A sysctl's last part: the first ones say little."""
    return name.rpartition(".")[2]


def _levels(kernel: Kernel) -> Iterator[KernelRow]:
    known = {
        ("TCP", "mem"): levels.memory_pages(kernel),
        ("TCP", "orphan"): levels.orphans(kernel),
        ("TCP", "tw"): levels.time_waits(kernel),
    }
    for gauge in GAUGES_SHOWN:
        used = kernel.sockstat.get(gauge.protocol, {}).get(gauge.name)
        level = known.get((gauge.protocol, gauge.name), levels.Level(used, None))
        command = f"cat /proc/net/sockstat{'6' if gauge.protocol == 'TCP6' else ''}"
        yield from _level(gauge, f"{gauge.protocol} {gauge.name}", level, command)
    yield from _level(
        _Gauge("opening", "", "", "Connections that netfilter tracks, of every protocol.",
               "net.netfilter.nf_conntrack_max", 0.8, ("conntrack-full",)),
        "nf_conntrack_count", levels.conntrack(kernel),
        "sysctl net.netfilter.nf_conntrack_count",
    )  # fmt: skip


def _level(gauge: _Gauge, name: str, level: levels.Level, confirm: str) -> Iterator[KernelRow]:
    if level.used is None:
        return
    share, beside = level.share, ""
    if share is not None:
        beside = f"{units.percent(share)} of {short(gauge.limit)} {level.limit}"
    full = share is not None and share >= gauge.warn
    yield KernelRow(
        "level", gauge.topic, name, level.used, _count(level.used), gauge.meaning, confirm, NAN,
        (gauge.limit,) if gauge.limit else (), beside, gauge.feeds,
        "warn" if full else "" if level.used else "dim",
    )  # fmt: skip


def _settings(sysctls: Sysctls) -> Iterator[KernelRow]:
    for setting in SETTINGS:
        if setting.name in sysctls:
            yield _setting(setting, now(sysctls, setting.name))


def _setting(setting: Sysctl, value: str) -> KernelRow:
    fits = cell_width(value) <= VALUE_WIDTH
    beside = setting.default_text if fits else f"{value}, {setting.default_text}"
    return KernelRow(
        "setting", "setting", short(setting.name), float(value) if value.isdecimal() else NAN,
        value if fits else "see right", setting.bounds, f"sysctl {setting.name}", NAN,
        (setting.name,), beside, setting.feeds,
        "dim" if setting.is_default(value) else "",
    )  # fmt: skip

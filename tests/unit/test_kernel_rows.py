"""The kernel's list: what its rows say of counters, levels and sysctls, and what follows."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tcptop import explain
from tcptop.analysis.findings.summary import COUNTERS
from tcptop.columns import KERNEL
from tcptop.columns.kernel import entries, facts
from tcptop.columns.kernel_computed import computed
from tcptop.columns.kernel_counters import CATALOGUE, TOPICS
from tcptop.columns.kernel_rows import GAUGES_SHOWN, VALUE_WIDTH, KernelRow, rows
from tcptop.columns.sysctls import BY_NAME, SETTINGS
from tcptop.model.cells import safe
from tcptop.model.sample import Kernel
from tcptop.model.selection import Selection
from tcptop.sources.counters import SYSCTLS
from tests.unit.prepared import NETNS, later, sample, selected

COUNT = "net.netfilter.nf_conntrack_count"
DEFAULTS = {setting.name: setting.default for setting in SETTINGS if setting.default is not None}
VALUES = {
    **DEFAULTS,
    "net.ipv4.tcp_rmem": "4096 131072 6291456",
    "net.ipv4.tcp_mem": "100 200 300",
    "net.ipv4.tcp_max_orphans": "1000",
    "net.ipv4.tcp_max_tw_buckets": "1000",
    "net.netfilter.nf_conntrack_max": "1000",
    COUNT: "850",
}
SOCKSTAT = {"TCP": {"inuse": 5, "orphan": 500, "tw": 10, "alloc": 9, "mem": 190}}


def found(
    counters: Mapping[str, Mapping[str, int]] | None = None,
    rates: Mapping[str, Mapping[str, float]] | None = None,
    sysctls: Mapping[str, str] = VALUES,
) -> dict[str, KernelRow]:
    made = rows(Kernel(1, counters or {}, SOCKSTAT, sysctls), rates or {})
    assert len({row.name for row in made}) == len(made)
    return {row.name: row for row in made}


def sentence(name: str, **changed: str) -> str:
    values = VALUES | {f"net.ipv4.{key}": value for key, value in changed.items()}
    return next(each.meaning for each in computed(values) if each.name == name)


def test_every_sysctl_that_is_read_is_described_and_no_other() -> None:
    assert set(BY_NAME) == set(SYSCTLS) - {COUNT}
    assert len(BY_NAME) == len(SETTINGS)
    assert all(setting.bounds.endswith(".") for setting in SETTINGS)
    assert all(setting.remark for setting in SETTINGS if setting.default is None)


def test_limits_and_findings_exist() -> None:
    limits = {name for entry in CATALOGUE for name in entry.beside}
    limits |= {gauge.limit for gauge in GAUGES_SHOWN if gauge.limit}
    limits |= {name for each in computed(VALUES) for name in each.limits}
    assert limits <= set(BY_NAME)
    fed = {name for entry in CATALOGUE for name in entry.feeds}
    fed |= {name for row in found().values() for name in row.feeds}
    assert fed <= {page.name for page in explain.pages() if page.kind == "finding"}
    assert {entry.topic for entry in CATALOGUE} <= set(TOPICS)


def test_a_counter_that_rises_in_trouble_feeds_a_finding_or_says_why_none() -> None:
    undecided = [e.name for e in CATALOGUE if e.bad and bool(e.feeds) == bool(e.silent)]
    assert undecided == []
    assert all(entry.bad and entry.silent.endswith(".") for entry in CATALOGUE if entry.silent)


def test_what_findings_count_is_described() -> None:
    assert {entry.name for entry in CATALOGUE} >= COUNTERS


def test_each_counter_is_in_the_catalogue_once() -> None:
    names = [(entry.section, entry.name) for entry in CATALOGUE]
    assert len(set(names)) == len(names)
    assert all(entry.meaning.endswith(".") for entry in CATALOGUE)


def test_counters_that_nobody_described_are_shown_with_their_rate() -> None:
    counters = {"TcpExt": {"TCPNewThing": 41, "ListenDrops": 7}, "Tcp": {"RtoMin": 200}}
    made = found(counters, {"TcpExt": {"TCPNewThing": 2.0, "ListenDrops": 0.0}})
    new = made["TCPNewThing"]
    assert (new.topic, new.value, new.rate, new.style) == ("other", 41, 2.0, "")
    assert new.confirm == "nstat -az TcpExtTCPNewThing"
    assert made["ListenDrops"].style == "dim"
    assert "RtoMin" not in made
    order = list(made)
    assert order.index("ListenDrops") < order.index("TCPNewThing") < order.index("somaxconn")


def test_a_rate_of_trouble_stands_out_and_an_unknown_one_is_no_zero() -> None:
    counters = {"TcpExt": {"ListenDrops": 7}, "Tcp": {"CurrEstab": 3, "InSegs": 10**12}}
    assert found(counters, {"TcpExt": {"ListenDrops": 0.1}})["ListenDrops"].style == "warn"
    unknown = found(counters)
    assert unknown["ListenDrops"].rate != unknown["ListenDrops"].rate
    assert unknown["CurrEstab"].kind == "level"
    assert len(unknown["InSegs"].text) <= VALUE_WIDTH


@pytest.mark.parametrize(
    ("name", "beside", "look"),
    [
        ("TCP orphan", "50% of tcp_max_orphans 1000", "warn"),
        ("TCP tw", "1% of tcp_max_tw_buckets 1000", ""),
        ("TCP mem", "95% of tcp_mem 200", ""),
        ("nf_conntrack_count", "85% of nf_conntrack_max 1000", "warn"),
        ("TCP inuse", "", ""),
    ],
)
def test_levels_stand_beside_their_limits(name: str, beside: str, look: str) -> None:
    row = found()[name]
    assert (row.kind, row.beside, row.style) == ("level", beside, look)


def test_a_level_without_a_limit_is_shown_and_one_that_is_not_known_is_not() -> None:
    made = found(sysctls={})
    assert made["TCP orphan"].text == "500"
    assert made["TCP orphan"].beside == ""
    assert "nf_conntrack_count" not in made
    assert "TCP6 inuse" not in made
    assert {row.kind for row in made.values()} == {"level"}


def test_what_follows_is_said_in_a_sentence() -> None:
    assert sentence("dead peer noticed") == (
        "A peer that vanished while idle is noticed after 2 h 11 min 15 s (7,200 s + 9 x 75 s), "
        "and only where the program asked for keepalive."
    )
    assert "after 15 min 24 s (924.6 s)" in sentence("black hole given up")
    assert "after 2 min 11 s" in sentence("connect() given up")
    assert "after 1 min 3 s" in sentence("handshake given up")
    assert "after 1 min 42 s" in sentence("orphan dropped")
    ports = "sustains 471 new connections/s towards one destination"
    assert ports in sentence("sustained opens")
    assert "(28,232 ports / 60 s of TIME-WAIT)." in sentence("sustained opens")
    assert "allows more" in sentence("sustained opens", tcp_tw_reuse="1")
    few = {"ip_local_port_range": "40000 40119", "ip_local_reserved_ports": "40000-40059"}
    assert "sustains 1.0 new connections/s" in sentence("sustained opens", **few)


def test_a_setting_shows_its_value_and_its_default() -> None:
    made = found(sysctls=VALUES | {"net.core.somaxconn": "128"})
    assert made["somaxconn"].text == "128"
    assert made["somaxconn"].beside == "default 4096 (128 before 5.4)"
    assert made["somaxconn"].style == ""
    assert made["tcp_retries2"].style == "dim"
    assert made["ip_local_reserved_ports"].text == "none"
    assert made["ip_local_reserved_ports"].style == "dim"
    assert made["tcp_max_orphans"].beside == "default by the host's memory"
    assert made["tcp_max_orphans"].style == ""
    assert made["tcp_rmem"].text == "see right"
    assert made["tcp_rmem"].beside.startswith("4096 131072 6291456, default ")


def test_a_name_from_the_kernel_is_not_obeyed() -> None:
    row = found(sysctls={"net.ipv4.tcp_congestion_control": "\x1b[2J"})["tcp_congestion_control"]
    assert row.text == "\\x1b[2J"


def kernel_selection() -> Selection:
    counters = {"TcpExt": {"ListenDrops": 7, "TCPNewThing": 1}, "Tcp": {"CurrEstab": 2}}
    kernel = Kernel(4026531840, counters, SOCKSTAT, VALUES)
    first = sample([], kernel=(kernel,))
    return selected(first, later(first, 1.0))


def test_each_row_opens_as_facts() -> None:
    selection = kernel_selection()
    places = KERNEL.rows(selection)
    names = KERNEL.column("name").texts(selection, places)
    for place, name in enumerate(names):
        known = facts(selection, place)
        assert len({(fact.group, fact.name) for fact in known}) == len(known)
        assert name in known[0].name
        assert known[0].value
        assert all(safe(fact.meaning) == fact.meaning for fact in known)
    drops = {fact.name: fact for fact in facts(selection, list(names).index("ListenDrops"))}
    assert drops["per second"].value == "0"
    assert drops["net.ipv4.tcp_abort_on_overflow"].value == "0"
    assert drops["accept-queue-overflow"].group == "findings"
    orphans = {fact.name: fact for fact in facts(selection, list(names).index("TCP orphan"))}
    assert orphans["net.ipv4.tcp_max_orphans"].value == "1000"
    assert orphans["confirm"].meaning == "cat /proc/net/sockstat shows the same"


def test_only_counters_have_a_rate_and_every_row_its_own_key() -> None:
    selection = kernel_selection()
    places = KERNEL.rows(selection)
    rates = KERNEL.column("rate").texts(selection, places)
    kinds = [row.kind for row in rows(selection.snapshot.sample.kernel[0], {})]
    assert [bool(rate) for rate in rates] == [kind == "counter" for kind in kinds]
    assert len(set(KERNEL.keys(selection, places).tolist())) == len(places)
    feeds = KERNEL.column("feeds").texts(selection, places)
    assert "accept-queue-overflow syn-queue-full" in feeds


def test_a_row_says_why_no_finding_tells_of_it() -> None:
    counters = {"Tcp": {"InErrs": 3}, "conntrack": {"insert_failed": 9}}
    selection = selected(sample([], kernel=(Kernel(NETNS, counters),)))
    names = [row.name for row in entries(selection)]
    said = {name: facts(selection, names.index(name)) for name in ("InErrs", "insert_failed")}
    (why,) = [fact for fact in said["InErrs"] if fact.name == "none"]
    assert "packets-rejected reads InCsumErrors" in why.meaning
    assert any(fact.name == "nat-ports-exhausted" for fact in said["insert_failed"])
    assert any("/proc/net/stat/nf_conntrack" in fact.meaning for fact in said["insert_failed"])

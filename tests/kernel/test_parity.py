"""Every field of every socket, as ss prints it of the same sockets.

tcptop looks before ss and after it: what ss says lies between the two, and so is the same where
nothing moved.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from tcptop.demo.namespace import DemoNamespace
from tcptop.model import tcp
from tcptop.model.address import text
from tcptop.model.table import SocketTable
from tcptop.sources.cgroups import Cgroups
from tcptop.sources.sock_diag import ALL_STATES, EXT, EXT_CONG, Request
from tests.kernel.snapshots import dump
from tests.kernel.ss import SsRow, ss_rows
from tests.kernel.ss_fields import IF_NOT_ZERO, PAIRS, SINGLES, SS_MEMORY
from tests.kernel.zoo import Zoo

REQUEST = Request(ALL_STATES, EXT | EXT_CONG)
SS_STATES = {"ESTAB": "ESTABLISHED", "UNCONN": "CLOSE"}


@dataclass(frozen=True)
class Dumps:
    """What ss said, and the same sockets in tcptop's looks before and after it."""

    before: SocketTable
    after: SocketTable
    rows: list[tuple[SsRow, int, int]]
    apart: int  # rows that came, went or changed their state meanwhile


def three_looks(namespace: DemoNamespace, *, legacy: bool = True) -> Dumps:
    before = dump(namespace, REQUEST, legacy=legacy)
    seen = {row.cookie: row for row in ss_rows(namespace)}
    after = dump(namespace, REQUEST, legacy=legacy)
    first, last = places(before), places(after)
    both = [c for c in seen if c in first and c in last]
    same = [c for c in both if before.state[first[c]] == after.state[last[c]]]
    everything = seen.keys() | first.keys() | last.keys()
    rows = [(seen[c], first[c], last[c]) for c in same]
    return Dumps(before, after, rows, len(everything) - len(same))


def places(table: SocketTable) -> dict[int, int]:
    found = {cookie: row for row, cookie in enumerate(table.cookie.tolist())}
    assert len(found) == len(table)
    return found


@pytest.fixture(scope="module", params=["legacy", "v2"])
def dumps(request: pytest.FixtureRequest, zoo: Zoo) -> Dumps:
    """Three looks of which the machine's other work did not make a long story."""
    for _ in range(50):
        made = three_looks(zoo.namespace, legacy=request.param == "legacy")
        if made.apart <= 2 and len(quiet(made)) > 0.95 * len(made.rows):
            return made
    raise TimeoutError("the sockets do not hold still")


def quiet(dumps: Dumps) -> list[tuple[SsRow, int, int]]:
    """Rows without a segment between the looks: probes of closed windows come and go."""
    return [each for each in dumps.rows if not talked(dumps, *each[1:])]


def talked(dumps: Dumps, first: int, last: int) -> bool:
    ends = ((dumps.before, first), (dumps.after, last))
    counts = [[table.tcp_info(n)[row] for n in ("segs_in", "segs_out")] for table, row in ends]
    return counts[0] != counts[1]


def test_almost_every_socket_was_compared(dumps: Dumps) -> None:
    assert len(dumps.rows) > 120
    assert dumps.apart <= 2
    assert {int(dumps.before.state[row]) for _, row, _ in dumps.rows} == set(range(1, 12)) - {7}


def described(table: SocketTable, row: int, devices: dict[int, str]) -> dict[str, object]:
    """What does not move while the state stays."""
    came = int(table.has[row])
    return {
        "state": tcp.STATES[table.state[row]],
        "local": address(table, "local", row),
        "local_port": int(table.local_port[row]),
        "remote": address(table, "remote", row),
        "remote_port": int(table.remote_port[row]),
        "interface": devices.get(int(table.interface[row])),
        "uid": int(table.uid[row]),
        "inode": int(table.inode[row]),
        "v6only": bool(table.v6only[row]) if came >> tcp.SKV6ONLY & 1 else None,
        "timer": tcp.TIMERS[table.timer[row]],
    }


def address(table: SocketTable, side: str, row: int) -> str:
    hi, lo = int(getattr(table, f"{side}_hi")[row]), int(getattr(table, f"{side}_lo")[row])
    return "::" if table.family[row] == tcp.AF_INET6 and not hi and not lo else text(hi, lo)


def said(row: SsRow) -> dict[str, object]:
    timer = row.timer.name if row.timer else ""
    return {
        "state": SS_STATES.get(row.state, row.state.replace("-", "_").replace("WAIT_", "WAIT")),
        "local": plain(row.local_address),
        "local_port": row.local_port,
        "remote": plain(row.remote_address),
        "remote_port": row.remote_port,
        "interface": row.interface,
        "uid": row.uid or 0,  # left out where 0
        "inode": row.inode or 0,
        "v6only": row.v6only,
        "timer": {"on": "retransmit"}.get(timer, timer),
    }


def plain(printed: str) -> str:
    """`*` is the dual-stack wildcard; a mapped address is IPv4 to tcptop."""
    return "::" if printed == "*" else printed.removeprefix("::ffff:")


def test_what_identifies_a_socket(zoo: Zoo, dumps: Dumps) -> None:
    links = zoo.namespace.command(["ip", "-o", "link"]).splitlines()
    devices = {
        int(line.split(":")[0]): line.split()[1].rstrip(":@").split("@")[0] for line in links
    }
    moved = 0
    for row, first, last in dumps.rows:
        before = described(dumps.before, first, devices)
        if before == described(dumps.after, last, devices):
            assert before == said(row)
        else:
            moved += 1
    assert moved <= 4  # a timer that ran out
    scoped = [row for row, _, _ in dumps.rows if row.interface]
    assert {row.interface for row in scoped} == {"lo", "v0"}


def test_queues_and_timers(dumps: Dumps) -> None:
    timers: Counter[str] = Counter()
    for row, first, last in dumps.rows:
        for name, value in (("recv_q", row.recv_q), ("send_q", row.send_q)):
            column = (getattr(dumps.before, name)[first], getattr(dumps.after, name)[last])
            assert between(float(value), column)
        timers[row.timer.name if row.timer else ""] += ran(row, dumps, first, last)
    assert timers["keepalive"] >= 4
    assert timers["timewait"] >= 8
    assert timers["on"] >= 4
    assert timers["persist"] >= 4


def ran(row: SsRow, dumps: Dumps, first: int, last: int) -> bool:
    """Compares a timer that did not begin anew between the looks; whether there was one."""
    soon, late = int(dumps.after.expires[last]), int(dumps.before.expires[first])
    tries = {int(dumps.before.retrans[first]), int(dumps.after.retrans[last])}
    if row.timer is None or soon > late or len(tries) > 1:
        return False
    printed = row.timer.expires_ms
    rounded = 1000 if printed >= 10_000 else 1
    rounded = 60_000 if printed >= 600_000 else rounded  # print_ms_timer cuts off
    assert printed <= late
    assert soon < printed + rounded
    assert tries == {row.timer.retransmits}
    return True


def between(value: float, ends: tuple[Any, Any]) -> bool:
    """ss prints six digits of a fraction (%g)."""
    slack = abs(value) * 1e-5
    return float(min(ends)) - slack <= value <= float(max(ends)) + slack


def of_row(dumps: Dumps, first: int, last: int) -> Callable[[str, float], tuple[float, float]]:
    """Reads a tcp_info field from both looks, multiplied."""

    def read(field: str, factor: float) -> tuple[float, float]:
        a, b = dumps.before.tcp_info(field)[first], dumps.after.tcp_info(field)[last]
        assert dumps.before.tcp_info_known(field)[first]
        return float(a) * factor, float(b) * factor

    return read


def test_tcp_info(dumps: Dumps) -> None:
    printed: Counter[str] = Counter()
    for row, first, last in quiet(dumps):
        read = of_row(dumps, first, last)
        for name, ends, value in numbers(row, read):
            assert between(value, ends), (name, value, ends, row)
            printed[name] += 1
        if dumps.before.came(tcp.INFO)[first]:
            zeros = (name for name in IF_NOT_ZERO - row.info.keys() if known(dumps, first, name))
            for name in zeros:
                assert min(read(*SINGLES[name])) < 1, (name, row)
            limited = read("delivery_rate_app_limited", 1.0)
            assert between(float("app_limited" in row.flags), limited)
    assert len(printed) >= 35, sorted(SINGLES.keys() - printed.keys())
    assert sum(printed.values()) > 2000


def test_what_nobody_can_know_while_connecting(dumps: Dumps) -> None:
    """ss prints the time since boot."""
    connecting = [(row, first) for row, first, _ in dumps.rows if row.state == "SYN-SENT"]
    assert len(connecting) >= 4
    for row, first in connecting:
        assert (row.number("lastack") or 0) > 10_000
        for name in ("last_data_sent", "last_data_recv", "last_ack_recv", "min_rtt"):
            assert not dumps.before.tcp_info_known(name)[first]


def known(dumps: Dumps, row: int, name: str) -> bool:
    return bool(dumps.before.tcp_info_known(SINGLES[name][0])[row])


def numbers(
    row: SsRow, read: Callable[[str, float], tuple[float, float]]
) -> Iterator[tuple[str, tuple[float, float], float]]:
    """(ss's name, what tcptop read before and after, what ss printed)."""
    for name, printed in row.info.items():
        if name in SINGLES and not untold(row, name):
            number = float(printed.split("(")[0].removesuffix("ms"))
            field, factor = SINGLES[name]
            yield name, rounded(read(field, factor), name), number
        elif name in PAIRS:
            separator, fields, factor = PAIRS[name]
            for field, part in zip(fields, printed.split(separator), strict=True):
                yield f"{name}:{field}", read(field, factor), float(part)


def untold(row: SsRow, name: str) -> bool:
    """While a connection is only asked for, these count from boot: unknown to tcptop."""
    return row.state == "SYN-SENT" and name.startswith("last")


def rounded(ends: tuple[float, float], name: str) -> tuple[float, float]:
    """ss cuts off the fraction of a millisecond of the times spent."""
    cut = name in ("busy", "rwnd_limited", "sndbuf_limited")
    return (float(int(ends[0])), float(int(ends[1]))) if cut else ends


def test_congestion_control_and_memory(dumps: Dumps) -> None:
    names: set[str] = set()
    for row, first, last in dumps.rows:
        table = dumps.before
        assert bool(row.skmem) == bool(table.came(tcp.SKMEMINFO)[first])
        for short, value in row.skmem.items():
            name = SS_MEMORY[short]
            assert table.memory_known(name)[first]
            ends = (table.memory_of(name)[first], dumps.after.memory_of(name)[last])
            assert between(float(value), ends), (name, row)
        if table.came(tcp.CONG)[first]:
            names.add(table.cong[first].decode())
            assert table.cong[first].decode() in row.flags
    assert len(names) == 1
    assert names <= {"bbr", "cubic", "reno"}


def test_cgroups(dumps: Dumps) -> None:
    paths = Cgroups().paths(dumps.before.cgroup_id)
    shown = Counter[bool]()
    for row, first, _ in dumps.rows:
        came = bool(dumps.before.came(tcp.CGROUP_ID)[first])
        assert (row.cgroup is not None) == came
        if came:
            path = paths[int(dumps.before.cgroup_id[first])]
            assert f"/{(row.cgroup or '').lstrip('/')}".endswith(path)
        shown[came] += 1
    assert shown[True] > 90
    assert shown[False] >= 16  # mini-sockets have none


def test_both_kinds_of_request_agree(zoo: Zoo) -> None:
    one, two = (dump(zoo.namespace, REQUEST, legacy=legacy) for legacy in (True, False))
    order, other = np.argsort(one.cookie), np.argsort(two.cookie)
    for name in ("cookie", "family", "state", "local_lo", "remote_lo", "local_port", "inode"):
        assert (getattr(one, name)[order] == getattr(two, name)[other]).all(), name
    assert (one.has[order] == two.has[other]).all()

"""A JSON snapshot (schema tcptop.snapshot/1) as a sample again, as far as it tells.

What another program wrote is hostile: whatever does not fit is one line. tcp_info is left out, as
nothing that compares snapshots asks for it.
"""

from __future__ import annotations

import json
import math
import os
import stat
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from tcptop.model import tcp
from tcptop.model.address import halves
from tcptop.model.finding import SEVERITIES, Finding, Silence, Subject
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sample import NOT_TOLD, Host, Kernel, Namespace, Owners, Process, Sample
from tcptop.model.table import SocketTable, blank
from tcptop.sources.proc_net_tcp import identity

SCHEMA = "tcptop.snapshot/1"
MOST = 1 << 30  # bytes: 300,000 sockets
WRONG = (KeyError, TypeError, ValueError, AttributeError, OverflowError, IndexError, RecursionError)


class SnapshotFileError(OSError):
    """FILE: WHY."""


class SnapshotFile(NamedTuple):
    """What a snapshot says. `by_state` is by the kernel's number, None where it has no totals;
    `whole`: all sockets of that moment are in the sample."""

    sample: Sample
    findings: tuple[Finding, ...]
    silent: tuple[Silence, ...]
    over_s: float | None
    by_state: tuple[int, ...] | None
    whole: bool
    filter: str | None


def read(path: str) -> SnapshotFile:
    """Raises SnapshotFileError and OSError."""
    text = _text(path)
    try:
        told = json.loads(text, parse_constant=_refused)
    except (ValueError, RecursionError) as error:
        raise SnapshotFileError(f"{path}: no JSON snapshot: {_why(error)}") from error
    if not isinstance(told, dict) or told.get("schema") != SCHEMA:
        raise SnapshotFileError(f"{path}: no snapshot of tcptop: its schema is not {SCHEMA}")
    try:
        return _understood(told)
    except WRONG as error:
        raise SnapshotFileError(f"{path}: no whole snapshot: {_why(error)}") from error


def _refused(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


def _why(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    text = " ".join(str(error).split())[:120]
    return f"without {text}" if isinstance(error, KeyError) else text


def _text(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise SnapshotFileError(f"{path}: not a regular file")
        data = file.read(MOST + 1)
    if len(data) > MOST:
        raise SnapshotFileError(f"{path}: longer than {MOST >> 30} GiB")
    return data


def _understood(told: Mapping[str, Any]) -> SnapshotFile:
    rows, spaces = told.get("sockets"), _namespaces(told)
    listed = [] if rows is None else rows
    totals, collector = told.get("totals"), told["collector"]
    silent, notes = _silences(collector)
    table = _table(listed, {each.inode: each for each in spaces}, collector["source"] == "procfs")
    sample = Sample(
        taken_at=_time(told["taken_at"]),
        clock=0.0,
        host=_host(told["host"]),
        source=_word(collector["source"]),
        via=None if collector.get("via") is None else _word(collector["via"]),
        privileged=bool(collector["privileged"]),
        poll_ms=float(math.nan if collector["poll_ms"] is None else collector["poll_ms"]),
        version=_word(collector["version"]),
        sockets=table,
        owners=_owners(listed, table),
        namespaces=spaces,
        kernel=tuple(map(_kernel, told.get("kernel") or ())),
        notes=notes,
    )
    every = totals is not None and rows is not None and len(rows) == totals["sockets"]
    return SnapshotFile(
        sample=sample,
        findings=tuple(map(_finding, told.get("findings") or ())),
        silent=silent,
        over_s=None if collector.get("over_s") is None else float(collector["over_s"]),
        by_state=None if totals is None else _states(totals["by_state"]),
        whole=every,
        filter=None if told.get("filter") is None else _word(told["filter"]),
    )


def _word(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"text expected, not {type(value).__name__}")
    return value


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"a whole number expected, not {type(value).__name__}")
    return value


def _time(text: Any) -> float:
    return datetime.fromisoformat(_word(text)).timestamp()


def _host(told: Mapping[str, Any]) -> Host:
    """Of a dump of ss it is not known."""
    if told["hostname"] is None:
        return Host("", "", math.nan)
    return Host(_word(told["hostname"]), _word(told["kernel"]), float(told["uptime_s"]))


def _states(counts: Mapping[str, Any]) -> tuple[int, ...]:
    return (0, *(_whole(counts[name]) for name in tcp.STATES[1:]))


def _silences(collector: Mapping[str, Any]) -> tuple[tuple[Silence, ...], tuple[str, ...]]:
    """Rules that could not look, each with the note that names it, and the other notes."""
    rules = [_word(each) for each in collector.get("silent_rules") or ()]
    told, others = [], []
    for note in map(_word, collector.get("notes") or ()):
        named = tuple(each for each in rules if each in note)
        if named:
            told.append(Silence(named, note))
        else:
            others.append(note)
    said = {rule for each in told for rule in each.rules}
    told += [Silence((rule,), f"{rule} could not look.") for rule in rules if rule not in said]
    return tuple(told), tuple(others)


def _namespaces(told: Mapping[str, Any]) -> tuple[Namespace, ...]:
    """With a number for each device that sockets are bound to: a snapshot has its name alone."""
    devices: defaultdict[int, dict[int, str]] = defaultdict(dict)
    for row in told.get("sockets") or ():
        if row.get("interface") is not None:
            known, name = devices[_whole(row["netns"])], _word(row["interface"])
            if name not in known.values():
                known[len(known) + 1] = name
    return tuple(
        Namespace(
            _whole(each["inode"]),
            None if each["name"] is None else _word(each["name"]),
            devices[each["inode"]],
            tuple(map(_whole, each["pids"])),
        )
        for each in told.get("namespaces") or ()
    )


def _table(rows: Sequence[Any], spaces: Mapping[int, Namespace], procfs: bool) -> SocketTable:
    table = blank(len(rows))
    for number, row in enumerate(rows):
        _fill(table, number, row, spaces.get(row["netns"]))
    if procfs and len(table):
        table.cookie[:] = identity(table)
    _hold(table, [number for number, row in enumerate(rows) if _holders(row)])
    return table


def _fill(table: SocketTable, number: int, row: Mapping[str, Any], space: Namespace | None) -> None:
    table.netns[number] = _whole(row["netns"])
    table.cookie[number] = int(row["cookie"] or "0", 16)
    table.family[number] = tcp.AF_INET6 if row["family"] == "inet6" else tcp.AF_INET
    table.state[number] = tcp.STATES.index(_word(row["state"]), 1)
    table.local_hi[number], table.local_lo[number] = halves(_word(row["local_address"]))
    table.remote_hi[number], table.remote_lo[number] = halves(_word(row["remote_address"]))
    for name in ("local_port", "remote_port", "recv_q"):
        getattr(table, name)[number] = _whole(row[name])
    for name in ("send_q", "uid", "inode"):
        getattr(table, name)[number] = _whole(row.get(name) or 0)
    if row.get("interface") is not None and space is not None:
        known = {name: index for index, name in space.interfaces.items()}
        table.interface[number] = known[row["interface"]]
    _timer(table, number, row.get("timer") or {})
    _memory(table, number, row.get("memory") or {})


def _timer(table: SocketTable, number: int, timer: Mapping[str, Any]) -> None:
    if timer.get("name") in tcp.TIMERS[1:]:
        table.timer[number] = tcp.TIMERS.index(timer["name"])
        table.expires[number] = _whole(timer.get("expires_ms") or 0)
        table.retrans[number] = _whole(timer.get("retransmits") or 0)


def _memory(table: SocketTable, number: int, memory: Mapping[str, Any]) -> None:
    known = 0
    for place, name in enumerate(tcp.MEMORY):
        if memory.get(name) is None:
            break
        table.memory[number, place] = _whole(memory[name])
        known = place + 1
    table.memory_count[number] = known


def _hold(table: SocketTable, held: Sequence[int]) -> None:
    """Rows without an inode that have a process get one that no other has, to find it by."""
    taken = set(table.inode.tolist())
    numbers = (n for n in range((1 << 32) - 1, 0, -1) if n not in taken)
    for row in held:
        if table.inode[row] == 0:
            table.inode[row] = next(numbers)


def _holders(row: Mapping[str, Any]) -> Sequence[Any]:
    """Those that have or had the socket, not those that are only inferred."""
    inferred = "inferred:" in (row.get("owner_note") or "")
    held: Sequence[Any] = row["processes"]
    return [] if inferred or row["owner"] not in ("process", "remembered") else held


def _owners(rows: Sequence[Any], table: SocketTable) -> Owners:
    entries = sorted(_entries(rows, table))
    people = {process.pid: process for process in _people(rows)}
    inodes, pids, fds = zip(*entries, strict=True) if entries else ((), (), ())
    columns = np.array(inodes, np.uint32), np.array(pids, np.int64), np.array(fds, np.int64)
    return Owners(*columns, people)


def _entries(rows: Sequence[Any], table: SocketTable) -> Iterator[tuple[int, int, int]]:
    for number, row in enumerate(rows):
        for each in _holders(row):
            fd = each.get("fd")
            yield int(table.inode[number]), _whole(each["pid"]), 0 if fd is None else _whole(fd)


def _people(rows: Sequence[Any]) -> Iterator[Process]:
    for row in rows:
        for each in _holders(row):
            label = None if each.get("label") is None else _word(each["label"])
            yield Process(
                _whole(each["pid"]), _word(each["name"]), "", None, NOT_TOLD, row.get("cgroup"),
                None, None, None, label,
            )  # fmt: skip


def _kernel(told: Mapping[str, Any]) -> Kernel:
    return Kernel(
        _whole(told["netns"]),
        {
            _word(section): {_word(name): _whole(value) for name, value in names.items()}
            for section, names in told["counters"].items()
        },
        sysctls={_word(name): _word(value) for name, value in told["sysctls"].items()},
    )


def _finding(told: Mapping[str, Any]) -> Finding:
    subject = told["subject"]
    cookies = subject["cookies"] or ()
    since = told["since"]
    if told["severity"] not in SEVERITIES:
        raise ValueError(f"severity {told['severity']!r}")
    return Finding(
        id=_word(told["id"]),
        key=_word(told["key"]),
        severity=told["severity"],
        title=_word(told["title"]),
        subject=Subject(
            _whole(subject["netns"]),
            tuple(map(_whole, subject["pids"])),
            _optional(subject["listener"]),
            _optional(subject["destination"]),
            tuple(int(_word(each), 16) & (1 << 64) - 1 for each in cookies),
        ),
        values={_word(k): float("nan" if v is None else v) for k, v in told["values"].items()},
        evidence=tuple(map(_word, told["evidence"])),
        advice=_optional(told["advice"]) or "",
        confirm=_optional(told["confirm"]) or "",
        since=None if since is None else _time(since),
        because=_optional(told["because"]),
    )


def _optional(value: Any) -> str | None:
    return None if value is None else _word(value)

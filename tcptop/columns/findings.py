"""Columns of the findings, and all that is known of one."""

from __future__ import annotations

from datetime import datetime
from hashlib import blake2b

import numpy as np

from tcptop.analysis.findings.words import called
from tcptop.columns import units
from tcptop.columns.column import Column, Texts
from tcptop.columns.listing import Listing
from tcptop.columns.marks import SIGNS, STYLES
from tcptop.model.cells import safe
from tcptop.model.finding import Finding, tree
from tcptop.model.sample import Process
from tcptop.model.selection import Selection
from tcptop.model.snapshot import Snapshot
from tcptop.model.table import F64, I64, U64, Index

BRANCH = "└ "  # before what the finding above explains


def number(key: str) -> int:
    """The key of a finding as that of a row."""
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest())


def severity(finding: Finding) -> str:
    """`! critical`: told by sign, word and look."""
    return f"{SIGNS[finding.severity]} {finding.severity}"


def _some(selection: Selection, rows: Index) -> list[Finding]:
    return [selection.snapshot.findings[row] for row in rows.tolist()]


def _tree(selection: Selection) -> dict[int, int]:
    """Place -> depth of the shown findings, what a finding explains beneath it."""
    shown = selection.findings
    return {int(shown[at]): depth for at, depth in tree(_some(selection, shown))}


def _order(selection: Selection, rows: Index) -> I64:
    """The worst first, and what a finding explains beneath it."""
    places = {row: at for at, row in enumerate(_tree(selection))}
    return np.array([places[row] for row in rows.tolist()], np.int64)


def _age_s(selection: Selection, rows: Index) -> F64:
    now = selection.snapshot.sample.taken_at
    since = [np.nan if f.since is None else now - f.since for f in _some(selection, rows)]
    return np.maximum(np.array(since, np.float64), 0.0)


def _ages(selection: Selection, rows: Index) -> list[str]:
    return [units.age(seconds) for seconds in _age_s(selection, rows).tolist()]


def _titles(selection: Selection, rows: Index) -> list[str]:
    depths = _tree(selection)
    told = zip(rows.tolist(), _some(selection, rows), strict=True)
    return [_branch(depths[row]) + safe(finding.title) for row, finding in told]


def _branch(depth: int) -> str:
    return "  " * (depth - 1) + BRANCH * (depth > 0)


def processes(snapshot: Snapshot, finding: Finding) -> list[Process | int]:
    """The processes of a finding, or the pids of those that are not known any more."""
    known = {each.pid: each for each in snapshot.holders.processes}
    return [known.get(pid, pid) for pid in finding.subject.pids]


def _who(selection: Selection, rows: Index) -> list[str]:
    return [_named(processes(selection.snapshot, each)) for each in _some(selection, rows)]


def _named(processes: list[Process | int]) -> str:
    if not processes:
        return ""
    more = f" +{len(processes) - 1}" if len(processes) > 1 else ""
    return named(processes[0]) + more


def named(process: Process | int) -> str:
    """`nginx/101`, or the pid of one that is not known any more."""
    if isinstance(process, Process):
        return f"{called(process)}/{process.pid}"
    return f"pid {process}"


def _where(selection: Selection, rows: Index) -> list[str]:
    subjects = (finding.subject for finding in _some(selection, rows))
    return [safe(each.listener or each.destination or "") for each in subjects]


def _ids(selection: Selection, rows: Index) -> list[str]:
    return [finding.id for finding in _some(selection, rows)]


def _text(
    key: str,
    title: str,
    width: int,
    meaning: str,
    texts: Texts,
    priority: int = 0,
    least: int = 0,
    grow: int = 50,
) -> Column:
    return Column(
        key, title, width, meaning, lambda s, r: np.array(texts(s, r), dtype=str), texts,
        flex=True, priority=priority, largest_first=False, least=least, grow=grow,
    )  # fmt: skip


def _severity_looks(selection: Selection, rows: Index) -> list[str]:
    return [STYLES[finding.severity] for finding in _some(selection, rows)]


def _looks(selection: Selection, rows: Index) -> list[str]:
    depths = _tree(selection)
    return ["dim" if depths[row] else "" for row in rows.tolist()]


def keys(selection: Selection, rows: Index) -> U64:
    return np.array([number(finding.key) for finding in _some(selection, rows)], np.uint64)


COLUMNS = (
    Column(
        "severity", "!", 1,
        "! critical, * warning, · info; sorted: the worst first, and what it explains beneath it.",
        _order, lambda s, r: [SIGNS[each.severity] for each in _some(s, r)],
        styles=_severity_looks, largest_first=False,
    ),
    Column(
        "age", "For", 6, "How long it has been so, as far back as tcptop or the kernel knows.",
        _age_s, _ages, right=True,
    ),
    _text("title", "Finding", 72, "What is wrong; after └ what the finding above explains.",
          _titles, least=12, grow=0),
    _text("who", "Process", 16, "Whose sockets they are.", _who, 2, grow=3),
    _text("where", "Where", 17, "The listener or the destination that it is about.", _where, 2,
          grow=3),
    _text("word", "Severity", 8, "How bad it is.",
          lambda s, r: [each.severity for each in _some(s, r)], 3),
    _text("id", "Finding's id", 25, "What `tcptop explain`, --ignore and --set call it.", _ids, 4),
)  # fmt: skip

FINDINGS = Listing(
    "findings", "Findings", "Finds", COLUMNS, "severity", "",
    rows=lambda s: s.findings, keys=keys, styles=_looks,
    netns=lambda s, r: np.array([each.subject.netns for each in _some(s, r)]),
    command=lambda s, place: s.snapshot.findings[place].confirm,
    page=lambda s, place: s.snapshot.findings[place].id,
)  # fmt: skip


def since(moment: float, now: float) -> str:
    """13:02:11 (14 min ago); with the day where that was another one."""
    then = datetime.fromtimestamp(moment)
    same_day = then.date() == datetime.fromtimestamp(now).date()
    clock = f"{then:%H:%M:%S}" if same_day else f"{then:%Y-%m-%d %H:%M:%S}"
    return f"{clock} ({units.long_age(now - moment)} ago)" if now > moment else clock

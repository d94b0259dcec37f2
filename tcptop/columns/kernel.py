"""The kernel's counters, levels and limits that matter in an incident, and what follows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tcptop.columns import units
from tcptop.columns.column import Column, shown
from tcptop.columns.detail import Fact
from tcptop.columns.kernel_counters import TOPICS
from tcptop.columns.kernel_rows import VALUE_WIDTH, KernelRow, now, rows
from tcptop.columns.listing import Listing
from tcptop.columns.sysctls import BY_NAME
from tcptop.model.arrays import row_hash
from tcptop.model.cells import safe
from tcptop.model.sample import Kernel
from tcptop.model.selection import Selection
from tcptop.model.sysctls import Sysctls
from tcptop.model.table import F64, I64, U64, Index


def kernel(selection: Selection) -> Kernel | None:
    """Of several namespaces the one whose sockets the filter selects, else the first: the reader's
    own."""
    sample = selection.snapshot.sample
    several = len(sample.namespaces) > 1
    if several and selection.filter is not None and len(selection.namespaces) == 1:
        (inode,) = selection.snapshot.namespaces.netns[selection.namespaces].tolist()
        return sample.kernel_of(inode)
    return next(iter(sample.kernel), None)


def _netns(selection: Selection, places: Index) -> I64:
    found = kernel(selection)
    return np.full(len(places), found.netns if found else 0)


def entries(selection: Selection) -> list[KernelRow]:
    """All that is known of it."""
    found = kernel(selection)
    if found is None:
        return []
    listed = rows(found, selection.snapshot.kernel_rates.get(found.netns, {}))
    return [*_whose(selection, found.netns), *listed]


def _whose(selection: Selection, netns: int) -> Iterator[KernelRow]:
    """Of which namespace all is, where there are several."""
    if len(selection.snapshot.sample.kernel) > 1:
        title = safe(selection.snapshot.sample.space(netns))
        yield KernelRow(
            "namespace", TOPICS[0], "netns", np.nan, title,
            "The network namespace that all this is of; a filter netns = NAME chooses another.",
            "lsns -t net", style="good",
        )  # fmt: skip


def _rows(selection: Selection) -> Index:
    return np.arange(len(entries(selection)))


def _some(selection: Selection, places: Index) -> list[KernelRow]:
    known = entries(selection)
    return [known[place] for place in places.tolist()]


def _values(selection: Selection, places: Index) -> F64:
    return np.array([row.value for row in _some(selection, places)], np.float64)


def _rates(selection: Selection, places: Index) -> F64:
    return np.array([row.rate for row in _some(selection, places)], np.float64)


def _rate_texts(selection: Selection, places: Index) -> list[str]:
    """Only a counter has a rate that may not be known yet."""
    counted = (row.kind == "counter" for row in _some(selection, places))
    texts = shown(units.rate, _rates)(selection, places)
    return [text if counter else "" for text, counter in zip(texts, counted, strict=True)]


def facts(selection: Selection, place: int) -> list[Fact]:
    """All of one row, with the full names of the sysctls beside it and the findings it feeds."""
    found = kernel(selection)
    (row,) = _some(selection, np.array([place]))
    sysctls = found.sysctls if found else {}
    return [
        *_itself(row, sysctls),
        *(
            Fact("beside it", name, now(sysctls, name), _bounds(name))
            for name in row.limits
            if name in sysctls and row.kind != "setting"
        ),
        *(Fact("findings", name, "", "evidence for it; X leads to its page") for name in row.feeds),
        *([Fact("findings", "none", "", row.silent)] if row.silent else []),
    ]


def _itself(row: KernelRow, sysctls: Sysctls) -> Iterator[Fact]:
    if row.kind == "setting":
        yield Fact(row.kind, row.limits[0], now(sysctls, row.limits[0]), row.meaning)
        yield Fact(row.kind, "default", *_default(row.limits[0]))
    else:
        exact = row.text if row.kind == "computed" else units.count(row.value)
        yield Fact(row.kind, row.name, exact, row.meaning)
    if row.kind == "counter":
        yield Fact(row.kind, "per second", units.rate(row.rate), "now")
    yield Fact(row.kind, "confirm", "", f"{row.confirm} shows {_what(row)}")


def _what(row: KernelRow) -> str:
    return "what it follows from" if row.kind == "computed" else "the same"


def _default(name: str) -> tuple[str, str]:
    setting = BY_NAME[name]
    if setting.default is None:
        return "varies", setting.remark
    return setting.default or "none", setting.remark


def _bounds(name: str) -> str:
    setting = BY_NAME[name]
    return f"{setting.bounds} D{setting.default_text[1:]}."


def _looks(selection: Selection, places: Index) -> Sequence[str]:
    return [row.style for row in _some(selection, places)]


def _order(selection: Selection, places: Index) -> Index:
    """The order in which the rows are made: by what happens in a connection's life."""
    return places


def keys(selection: Selection, places: Index) -> U64:
    names = [hash((row.confirm, row.name)) for row in _some(selection, places)]
    return row_hash(np.array(names, np.int64))


def _column(
    key: str,
    title: str,
    width: int,
    meaning: str,
    *,
    flex: bool = True,
    priority: int = 0,
    grow: int = 0,
    least: int = 0,
    most: int = 0,
) -> Column:
    def texts(selection: Selection, places: Index) -> list[str]:
        return [str(getattr(row, key)) for row in _some(selection, places)]

    return Column(
        key, title, width, meaning,
        lambda s, p: np.array(texts(s, p), dtype=str), texts,
        flex=flex, priority=priority, largest_first=False, grow=grow, least=least, most=most,
    )  # fmt: skip


def _feeds(selection: Selection, places: Index) -> list[str]:
    return [" ".join(row.feeds) for row in _some(selection, places)]


COLUMNS = (
    Column("topic", "Topic", 8, "What part of a connection's life it is about.", _order,
           lambda s, p: [row.topic for row in _some(s, p)], priority=3, largest_first=False),
    _column("name", "Name", 21, "As nstat, /proc/net/sockstat and sysctl call it.", flex=False),
    Column("rate", "Per s", 6, "How fast a counter rises.", _rates, _rate_texts, right=True),
    Column("value", "Value", VALUE_WIDTH,
           "A counter's total since boot; of the rest, what it is now.", _values,
           lambda s, p: [row.text for row in _some(s, p)], right=True),
    _column("meaning", "What it means", 20, "In plain words.", least=12, most=100),
    _column("beside", "Limits beside it", 16,
            "The sysctls that bound it, as they are now; of a sysctl, the default.", priority=1,
            grow=1),
    Column("feeds", "Feeds", 20, "The findings that it is evidence for.",
           lambda s, p: np.array(_feeds(s, p), dtype=str), _feeds, flex=True, priority=2,
           largest_first=False, grow=2),
)  # fmt: skip

KERNEL = Listing(
    "kernel", "Kernel", "Kernel", COLUMNS, "topic", "The kernel's counters cannot be read.",
    rows=_rows, keys=keys, styles=_looks, netns=_netns,
    command=lambda s, place: entries(s)[place].confirm,
    page=lambda s, place: next(iter(entries(s)[place].feeds), None),
)  # fmt: skip

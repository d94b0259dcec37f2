"""FILTER and the options that say the same -> one clause, and what it selects."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from tcptop.options import FilterOptions, UsageError

if TYPE_CHECKING:
    from tcptop.analysis.clause import Clause
    from tcptop.analysis.filter import Expression
    from tcptop.model.sample import SampleFilter
    from tcptop.model.selection import Selection
    from tcptop.model.snapshot import Snapshot


def clause(chosen: FilterOptions, hosts: bool = True) -> Clause | None:
    """What is to be shown, bound; None for everything. Raises UsageError.

    The same option repeated is or, different ones are and. Without `hosts` no host name may be in
    it.
    """
    text = filter_text(chosen)
    if text is None:
        return None
    from tcptop.analysis.clause import Clause

    try:
        return Clause(text, _compiled(chosen, hosts))
    except ValueError as error:  # FilterError, which would load the grammar here
        raise UsageError(_under("tcptop: filter: ", str(error))) from error


def of_recording(shown: SampleFilter | None) -> Clause | None:
    """What was asked for when it was recorded; nothing, where no host would take that."""
    if shown is None:
        return None
    with suppress(UsageError):
        return clause(FilterOptions(shown.filter, shown.process, shown.port), hosts=False)
    return None


def _compiled(chosen: FilterOptions, hosts: bool) -> Expression:
    from tcptop.analysis import filter as language
    from tcptop.sources.names import RecordedNames, SystemNames

    parts = []
    if chosen.filter:
        names = SystemNames() if hosts else RecordedNames()
        parts.append(language.bind(language.parse(" ".join(chosen.filter)), names))
    if chosen.process:
        parts.append(language.any_of(*(language.process_option(p) for p in chosen.process)))
    if chosen.port:
        parts.append(language.any_of(*(language.port_option(p) for p in chosen.port)))
    return language.all_of(*parts)


def filter_text(chosen: FilterOptions) -> str | None:
    """The filter and the options that say the same, as typed."""
    parts = [" ".join(chosen.filter)] if chosen.filter else []
    parts += [f"-p {name}" for name in chosen.process] + [f"-P {port}" for port in chosen.port]
    return " ".join(parts) or None


def selected(snapshot: Snapshot, chosen: Clause | None) -> Selection:
    """What of a snapshot is shown."""
    from tcptop.analysis.selection import select

    return select(snapshot) if chosen is None else select(snapshot, chosen.expression, chosen.text)


def _under(head: str, text: str) -> str:
    """The lines of a text behind a head, so that a caret stays under its character."""
    return head + text.replace("\n", "\n" + " " * len(head))

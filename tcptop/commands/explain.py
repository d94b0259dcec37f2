"""`tcptop explain`: the page of a word, or the list of pages."""

from __future__ import annotations

from tcptop.commands.errors import DONE
from tcptop.explain import contents, page, suggestions
from tcptop.model.cells import safe
from tcptop.options import ExplainOptions, UsageError
from tcptop.views import pager


def run(chosen: ExplainOptions) -> int:
    word = " ".join(chosen.word) if chosen.word else None  # close wait
    found = page(word) if word is not None else None
    if word is not None and found is None:
        near = ", ".join(suggestions(word))
        hint = f"did you mean {near}?" if near else "`tcptop explain` lists them"
        raise UsageError(f'tcptop: explain: no page "{safe(word)}"; {hint}')
    pager.show(found.text if found else contents())
    return DONE

"""`tcptop diff OLD NEW`: what came, went or changed between two moments."""

from __future__ import annotations

from tcptop.commands.errors import DONE
from tcptop.options import DiffOptions


def run(chosen: DiffOptions) -> int:
    """Write it to stdout, the worst first."""
    from tcptop.commands.compared import moment
    from tcptop.views import difference, output

    old, new = moment(chosen.old, chosen), moment(chosen.new, chosen)
    sides = (
        difference.ComparedSide(old.file, old.snapshot, old.counted, old.whole),
        difference.ComparedSide(new.file, new.snapshot, new.counted, new.whole),
    )
    with output.opened(None) as out:
        writer = difference.write_json if chosen.format == "json" else difference.write
        writer(*sides, out)
    return DONE

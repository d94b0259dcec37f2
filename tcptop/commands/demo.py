"""`tcptop demo`: real sockets in trouble, and the live view on them."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from tcptop.commands import live
from tcptop.commands.errors import DONE, CommandError
from tcptop.configuration import unknown
from tcptop.demo.scenarios import DemoError, choose, scenarios
from tcptop.demo.stage import Stage
from tcptop.options import DemoOptions, SourceOptions, UsageError
from tcptop.sources.namespaces import current_inode
from tcptop.views import output


def run(chosen: DemoOptions) -> int:
    """The list, or the live view until it is left; then everything that was made is gone."""
    _check(chosen.scenario)
    if chosen.list:
        return _list(chosen.scenario)
    live.refuse_without_terminal("demo", "`tcptop demo --list` needs none")
    try:
        with Stage(choose(chosen.scenario)) as stage:
            return _watch(chosen, stage)
    except DemoError as error:
        raise CommandError(str(error)) from error


def _check(words: Sequence[str]) -> None:
    known = scenarios()
    for word in words:
        if word not in known:
            told = unknown("scenario", word, [*known], "`tcptop demo --list` lists them")
            raise UsageError(f"tcptop: demo: {told}")


def _list(words: Sequence[str]) -> int:
    known = scenarios()
    listed = [known[word] for word in words] or [*known.values()]
    width = max(len(each.id) for each in listed)
    with output.opened(None) as out:
        out.writelines(f"{each.id:{width}}  {each.story}\n" for each in listed)
    return DONE


def _watch(chosen: DemoOptions, stage: Stage) -> int:
    """The live view, in the namespace that this whole process enters."""
    for note in stage.notes:
        print(f"tcptop: demo: {note}", file=sys.stderr)
    home = current_inode() if os.geteuid() == 0 else None  # who is not root cannot follow nsenter
    stage.enter()
    # These load numpy, whose threads could not be taken along.
    from tcptop.columns import FINDINGS
    from tcptop.commands.effective import decided

    user = decided(chosen, stage.limits_by_finding, home or current_inode())
    scope = f"demo, netns {stage.pid}"
    settings = live.settings(chosen, user, scope, opening=FINDINGS.name, remembered=False)
    return live.show(settings, chosen.mouse, SourceOptions(events=chosen.events))

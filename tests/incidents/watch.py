"""Play incidents and print all that tcptop says of them, beside what it should say.

python -m tests.incidents.watch [--host-wide] [NAME...]; without a name, all of them, file after
file. With --host-wide one tcptop looks at every namespace of this machine, whatever else runs here.
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.incidents.host_wide import HostWide
from tests.incidents.incident import Incident, Play
from tests.incidents.playing import Played, played
from tests.incidents.proving import Silence, alarmed, besides, plays, told, unsaid


def classes() -> Iterator[type[Silence]]:
    for file in sorted(Path(__file__).parent.glob("test_*.py")):
        module = importlib.import_module(f"tests.incidents.{file.stem}")
        for each in vars(module).values():
            if isinstance(each, type) and issubclass(each, Silence) and plays(each):
                yield each


def verdict(one: Played, incident: Incident | None) -> str:
    if one.failure is not None:
        return f"COULD NOT BE MADE: {one.failure}"
    if incident is None:
        alarms = list(dict.fromkeys(alarmed(one)))
        return "\n  ".join(["FALSE ALARM", *alarms]) if alarms else "silent"
    wrong = [each for host in incident.says for each in unsaid(one, incident, host)]
    wrong += one.miscounted
    more = [each for host, says in incident.says.items() for each in besides(one, says, host)]
    return "\n  ".join(["as it must be" if not wrong + more else "WRONG:", *wrong, *more])


def _seen(plays: Sequence[Play], host_wide: bool) -> list[Played]:
    with HostWide() as host:
        if not host_wide:
            return played(plays)
        return played([each for each in plays if not each.limits], watcher=host.inside)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.incidents.watch")
    parser.add_argument("--host-wide", action="store_true")
    parser.add_argument("names", metavar="NAME", nargs="*")
    options = parser.parse_args()
    for cls in classes():
        by_play = {id(each.play): each for each in cls.incidents}
        chosen: list[Play] = [p for p in plays(cls) if p.name in options.names or not options.names]
        if not chosen:
            continue
        for each in _seen(chosen, options.host_wide):
            print(f"{each.play.name}: {verdict(each, by_play.get(id(each.play)))}")
            if each.failure is None:
                print("\n".join(told(each)).replace("\n", "\n    "), flush=True)


if __name__ == "__main__":
    main()

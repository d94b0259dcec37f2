"""Run loads one after the other and print all that tcptop finds.

python -m tests.healthy.watch NAME... [--seconds 60]; without a name, all of them.
"""

from __future__ import annotations

import argparse

from tcptop.model.finding import SEVERITIES
from tests.healthy.loads import BY_NAME
from tests.healthy.told import found
from tests.healthy.watching import watch


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.healthy.watch")
    parser.add_argument("names", metavar="NAME", nargs="*", help=" ".join(BY_NAME))
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    unknown = set(options.names) - BY_NAME.keys()
    if unknown:
        parser.error(f"no such load: {' '.join(sorted(unknown))}")
    for name in options.names or BY_NAME:
        texts = [
            text for s in watch([BY_NAME[name]], options.seconds) for text in found(s, SEVERITIES)
        ]
        print(f"{name}: " + ("\n\n".join(["", *texts, ""]) if texts else "silent"), flush=True)


if __name__ == "__main__":
    main()

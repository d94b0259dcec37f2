"""python -m tests.tui.screens --update [WALK...]: draw the pictures again."""

from __future__ import annotations

import argparse
import asyncio

from tests.tui.screens import stored
from tests.tui.screens.catalogue import WALKS
from tests.tui.screens.drawing import draw


async def update(names: list[str]) -> None:
    for walk in WALKS:
        for size in walk.sizes if not names or walk.name in names else ():
            drawn = await draw(walk, size)
            for screen in walk.screens:
                file, svg = stored.path(walk, screen, size), drawn[screen.name]
                if stored.read(file) != svg:
                    stored.write(file, svg)
                    print(file.name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--update", action="store_true", required=True)
    parser.add_argument("walks", nargs="*", metavar="WALK")
    asyncio.run(update(parser.parse_args().walks))
    for file in {*stored.HERE.glob("*.svg.gz")} - {*stored.every()}:
        file.unlink()


if __name__ == "__main__":
    main()

"""Records the scenarios. As root: python -m tests.recordings.make [NAME...]"""

from __future__ import annotations

import sys
import threading

import numpy as np

from tcptop import options
from tcptop.commands.source import OWNERS_BUDGET_S, source
from tcptop.demo import pools, sockets, traffic
from tcptop.demo.scenarios import choose
from tcptop.demo.scenarios.pool import join
from tcptop.demo.stage import HERE, THERE, Stage
from tcptop.model.route import route_key
from tcptop.model.sample import Sample
from tcptop.model.source import Requests, Source
from tests.recordings import SCENARIOS, save
from tests.recordings.neutral import Neutral

SAMPLES, BEFORE_S = 12, 8.0  # what is long in a state is so from the first sample on


def record(stage: Stage) -> list[Sample]:
    """Samples a second apart, with the options and the route of every connection."""
    never = threading.Event()
    with source(options.SourceOptions(str(stage.pid)), OWNERS_BUDGET_S) as live:
        want_everything(live, live.sample())
        live.wait(BEFORE_S, never)
        taken = []
        for _ in range(SAMPLES):
            taken.append(live.sample())
            want_everything(live, taken[-1])
            live.wait(1.0, never)
    neutral = Neutral(taken[0])
    return [neutral.sample(each) for each in taken]


def want_everything(live: Source, sample: Sample) -> None:
    table = sample.sockets
    sockets = (table.id(row) for row in np.flatnonzero(table.inode > 0).tolist())
    route_keys = (route_key(table, row) for row in range(len(table)))
    routes = (found for found in route_keys if found is not None)
    live.request(Requests(frozenset(sockets), frozenset(routes)))


def healthy(stage: Stage) -> None:
    """A server with clients, and a client with a pool: nothing is wrong."""
    web, browsers = stage.process_here("shop-web"), stage.process_there("browsers")
    listener = web.run(sockets.listening, HERE.v4, 443, 128)
    web.run(traffic.serve, listener.fd, 200)
    browsers.run(pools.connect, HERE.v4, 443, 9)
    api, database = stage.process_here("shop-api"), stage.process_there("shop-db")
    join(api, database, THERE.v4, 5432, 6)


def main(names: list[str]) -> None:
    for name in names or SCENARIOS:
        with Stage(choose(SCENARIOS[name]) if SCENARIOS[name] else ()) as stage:
            if not SCENARIOS[name]:
                healthy(stage)
            samples = record(stage)
        rows = " ".join(str(len(each.sockets)) for each in samples)
        print(f"{name}: {save(name, samples):,} bytes; sockets: {rows}")


if __name__ == "__main__":
    main(sys.argv[1:])

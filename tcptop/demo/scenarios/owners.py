"""Programs at their own limits."""

from __future__ import annotations

from tcptop.demo import held, pools
from tcptop.demo.scenarios.pool import join
from tcptop.demo.stage import THERE, Recover, Scenario, Stage

_LIMIT, _OPEN = 100, 88


def fd_limit(stage: Stage) -> Recover:
    client, server = stage.process_here("chat-gateway"), stage.process_there("chat-store")
    client.run(pools.limit_fds, _LIMIT)
    pool = join(client, server, THERE.v4, 27017, _OPEN - client.run(pools.open_fds))
    return lambda: client.run(held.close, *pool.client[_OPEN // 2 :])


SCENARIOS = (
    Scenario(
        "fd-limit",
        f"A program has {_OPEN} of {_LIMIT} file descriptors open.",
        fd_limit,
    ),
)

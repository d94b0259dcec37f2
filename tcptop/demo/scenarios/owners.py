"""Programs at their own limits, and what they leave to their children."""

from __future__ import annotations

from tcptop.demo import held, pools
from tcptop.demo.scenarios.pool import join
from tcptop.demo.stage import HERE, THERE, Recover, Scenario, Stage

_LIMIT, _OPEN = 100, 88
_REQUEST = 200  # bytes


def fd_limit(stage: Stage) -> Recover:
    client, server = stage.process_here("chat-gateway"), stage.process_there("chat-store")
    client.run(pools.limit_fds, _LIMIT)
    pool = join(client, server, THERE.v4, 27017, _OPEN - client.run(pools.open_fds))
    return lambda: client.run(held.close, *pool.client[_OPEN // 2 :])


def inherited_connections(stage: Stage) -> Recover:
    """A server starts a job for its clients, which inherits their connections, and closes them."""
    server, clients = stage.process_here("report-api"), stage.process_there("browsers")
    pool = join(clients, server, HERE.v4, 8002, 6)
    clients.run(pools.send, pool.client, _REQUEST)
    server.run(pools.read, pool.server)
    server.run(pools.send, pool.server, _REQUEST)
    job = server.run(held.leave_to_a_child, b"nightly-report", pool.server)

    def recover() -> None:
        server.run(held.end, job)
        clients.run(held.close_all)

    return recover


SCENARIOS = (
    Scenario(
        "inherited-connections",
        "A server has closed connections that a job of its own has inherited: they stay open.",
        inherited_connections,
    ),
    Scenario(
        "fd-limit",
        f"A program has {_OPEN} of {_LIMIT} file descriptors open.",
        fd_limit,
    ),
)

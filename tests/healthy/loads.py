"""All loads, in groups that run at the same time: a few that want the CPU and more that do not.

What takes long to start comes first in its group, before the others want the CPU.
"""

from __future__ import annotations

from tests.healthy import bulk, databases, still, web
from tests.healthy.load import Load, Proof
from tests.healthy.talk import talk

_BUSY = Proof(segments=1000)
_TALKING = Proof(segments=100)

GROUPS: dict[str, list[Load]] = {
    "web": [
        Load("pool", still.pool(False), Proof(established=400)),
        Load("pool-keepalive", still.pool(True), Proof(established=400)),
        Load("typing", talk("echo", "typing"), Proof(100, established=40)),
        Load("nginx", web.keep_alive, Proof(1000, established=60)),
        Load("nginx-veth", web.keep_alive, Proof(1000, established=60), link=True),
        Load("haproxy", web.proxied, Proof(1000, established=60)),
        Load("nginx-reload", web.reloading, Proof(1000, opens=5)),
    ],
    "closing": [
        Load("pgbench-connect", databases.unpooled, Proof(100, opens=10)),
        Load("nginx-close-slow", web.closing_slowly, Proof(100, opens=20, time_wait=100)),
        Load(
            "nginx-close-slow-veth",
            web.closing_slowly,
            Proof(50, opens=20, time_wait=50),
            link=True,
        ),
        Load("time-wait-server", still.server_time_wait, Proof(time_wait=4900)),
        Load("time-wait-client", still.client_time_wait, Proof(time_wait=4900)),
        Load("restart", talk("restarted", "returning"), Proof(100, opens=2)),
        Load("preconnected", still.preconnected, Proof(established=50)),
        Load("recycled", talk("swept", "recycling"), Proof(opens=6)),
        Load("burst", talk("drowsy", "bursting"), Proof(opens=15)),
        Load(
            "nginx-close-veth",
            web.closing,
            Proof(1000, opens=500, time_wait=2000),
            link=True,
            server_only=True,  # where wrk runs, connections do churn
        ),
    ],
    "databases": [
        Load("pgbench", databases.pooled, Proof(500, established=16)),
        Load("polling", talk("polls", "polling"), Proof(20, established=200)),
        Load("half-closed", talk("events", "half-closing"), Proof(5)),
        Load("events", talk("events", "listening"), Proof(20, established=200)),
        Load("download", web.downloads, _TALKING),
        Load("download-veth", web.downloads, _TALKING, link=True),
    ],
    "messages": [
        Load("pgbouncer", databases.bounced, Proof(500, established=64)),
        Load("redis", databases.redis, Proof(1000, established=100)),
        Load("echo", talk("echo", "talkative"), Proof(1000, established=60)),
        Load("typing-veth", talk("echo", "typing"), Proof(50, established=20), link=True),
        Load(
            "nginx-reuseport-veth",
            web.closing_many_queues,
            Proof(1000, opens=500, time_wait=2000),
            link=True,
            server_only=True,
        ),
        Load("pool-veth", still.pool(False), Proof(established=200), link=True),
        Load("pool-keepalive-veth", still.pool(True), Proof(established=200), link=True),
    ],
    "bulk": [
        Load("slow-reader", talk("feed", "slow"), Proof(established=2)),
        Load("slow-reader-veth", talk("feed", "slow"), Proof(established=1), link=True),
        Load("iperf3", bulk.forward, _BUSY),
        Load("iperf3-reverse", bulk.reverse, _BUSY),
        Load("iperf3-parallel", bulk.parallel, _BUSY),
        Load("iperf3-veth", bulk.forward, _BUSY, link=True),
        Load("iperf3-reverse-veth", bulk.reverse, _BUSY, link=True),
        Load("iperf3-parallel-veth", bulk.parallel, _BUSY, link=True),
    ],
}

# For tests.healthy.watch alone: it leaves no CPU to the others.
BY_HAND = [Load("redis-pipelined", databases.redis_pipelined, Proof(1000, established=100))]

BY_NAME = {load.name: load for group in (*GROUPS.values(), BY_HAND) for load in group}

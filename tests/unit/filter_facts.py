"""Ten prepared sockets for the tests of the filter, and what is known about them."""

from collections.abc import Sequence

import numpy as np

from tcptop.analysis.filter import Expression, Facts, bind, parse, select
from tcptop.model import address, tcp
from tcptop.model.owner import ACCEPT_QUEUE, PROCESS, UNKNOWN
from tcptop.model.sample import Process
from tcptop.model.table import SocketTable, blank

NETNS, OTHER = 4026531840, 4026532000
# family, state, local, remote; the row numbers are used below.
ENDPOINTS = (
    (4, tcp.LISTEN, "0.0.0.0", 80, "0.0.0.0", 0),
    (4, tcp.ESTABLISHED, "10.0.0.1", 80, "10.0.0.2", 40000),
    (4, tcp.TIME_WAIT, "10.0.0.1", 50000, "10.9.0.9", 443),
    (6, tcp.LISTEN, "::", 443, "::", 0),
    (6, tcp.ESTABLISHED, "::ffff:10.0.0.1", 443, "::ffff:10.0.0.3", 41000),
    (6, tcp.ESTABLISHED, "fe80::1", 45000, "fe80::2", 443),
    (4, tcp.SYN_SENT, "10.0.0.1", 45001, "192.0.2.1", 25),
    (4, tcp.FIN_WAIT2, "10.0.0.1", 45002, "10.0.0.2", 80),  # a mini-socket
    (4, tcp.CLOSE_WAIT, "127.0.0.1", 8005, "127.0.0.1", 60999),
    (4, tcp.SYN_RECV, "10.0.0.1", 80, "10.0.0.2", 40001),
)
MINIS = [2, 7, 9]
ROWS = set(range(len(ENDPOINTS)))


def table() -> SocketTable:
    made = blank(len(ENDPOINTS))
    for row, (version, state, local, sport, remote, dport) in enumerate(ENDPOINTS):
        made.family[row] = tcp.AF_INET if version == 4 else tcp.AF_INET6
        made.state[row] = state
        made.local_hi[row], made.local_lo[row] = address.halves(local)
        made.remote_hi[row], made.remote_lo[row] = address.halves(remote)
        made.local_port[row], made.remote_port[row] = sport, dport
    made.netns[:] = NETNS
    made.netns[8] = OTHER
    made.info_size[:] = tcp.TCP_INFO_SIZE
    made.info_size[MINIS] = 0
    made.memory_count[:] = len(tcp.MEMORY)
    made.memory_count[MINIS] = 0
    made.has[:] = 1 << tcp.MARK
    made.timer[MINIS] = [tcp.TIMERS.index(name) for name in ("timewait", "timewait", "retransmit")]
    return made


CONTAINER = "4f1c" * 16


def process(
    pid: int, name: str, cmdline: str = "", label: str | None = None, cgroup: str | None = None
) -> Process:
    return Process(pid, name, cmdline, 0, 1, cgroup, 1, 1, NETNS, label)


def facts() -> Facts:
    sockets = table()
    sockets.recv_q[[0, 3, 4]] = 4, 5, 3000
    sockets.send_q[[0, 3, 5]] = 4, 9, 70000
    sockets.memory_of("drops")[[0, 4]] = 3, 1
    sockets.tcp_info("last_data_sent")[[1, 4, 5]] = 400_000, 10_000, 400_000
    sockets.tcp_info("last_data_recv")[[1, 4, 5]] = 350_000, 500_000, 360_000
    sockets.tcp_info("last_data_sent")[6] = sockets.tcp_info("last_data_recv")[6] = 4_000_000
    sockets.tcp_info("rtt")[[1, 4, 5]] = 100_000, 250_000, 99_999
    sockets.tcp_info("retransmits")[5] = 2
    sockets.tcp_info("backoff")[5] = 2
    sockets.retrans[[6, 8]] = 3, 1
    sockets.timer[[5, 6, 8]] = [tcp.TIMERS.index(t) for t in ("persist", "retransmit", "keepalive")]
    sockets.uid[[1, 4, 5]] = 1000, 33, 1000
    sockets.mark[[1, 4]] = 0x11, 0x21
    sockets.interface[[5, 8]] = 2, 1
    sockets.cgroup_id[[1, 4]] = 77, 78
    return Facts(
        sockets,
        holder_rows=np.array([0, 1, 1, 4]),
        holder_pids=np.array([10, 10, 11, 12]),
        processes={
            10: process(10, "nginx", cgroup="/system.slice/nginx.service"),
            11: process(
                11, "Worker One", cmdline="/usr/bin/python3 /srv/leaky.py", label="leaky.py"
            ),
            12: process(12, "java", cgroup=f"/system.slice/docker-{CONTAINER}.scope"),
        },
        users={0: "root", 33: "www-data", 1000: "alice"},
        cgroups={77: "/system.slice/nginx.service", 78: "/user.slice"},
        namespaces={NETNS: None, OTHER: "blue"},
        interfaces={NETNS: {1: "lo", 2: "eth0"}, OTHER: {1: "eth0"}},
        port_ranges={NETNS: (45000, 60999), OTHER: (8000, 8010)},
        owner=np.array([PROCESS] * 2 + [UNKNOWN] * 2 + [ACCEPT_QUEUE] + [UNKNOWN] * 5, np.uint8),
        age_s=np.array([np.nan, 10.0, *[np.nan] * 8]),
    )


def chosen(expression: Expression | str) -> set[int]:
    if isinstance(expression, str):
        expression = parse(expression)
    return set(np.flatnonzero(select(bind(expression, Prepared()), facts())).tolist())


class Prepared:
    """Names of the tests' own."""

    def host(self, name: str) -> Sequence[str]:
        if name == "unasked.test":
            raise OSError("nobody was asked")
        return ["10.0.0.2", "fe80::2"] if name == "both.test" else []

    def service(self, name: str) -> int:
        if name != "https":
            raise OSError(f"no {name}")
        return 443

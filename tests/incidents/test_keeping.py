"""Programs that keep what they should close, and pools that are well."""

from __future__ import annotations

from tests.incidents.incident import Says, healthy, incident
from tests.incidents.lab import Lab
from tests.incidents.proving import Proving

LEAK, GROWING, SELF, RESETS = "socket-leak", "connections-growing", "self-connect", "resets"


@incident(
    server=[
        Says(
            LEAK,
            "critical",
            who="leaky",
            title=[r"leaky\.py", r"\b228\b"],
            told=[r"228 were of a connect\(\) that failed", r"256"],
            never=[r"1 of them is a TCP socket"],
        )
    ],
)
def refused_sockets_are_never_closed(lab: Lab) -> None:
    """228 of its 256 descriptors are sockets of connects that were refused; a blocking connect()
    forgets by whom."""
    lab.server.python("leaky", lab.client.address, 5672, 228, 100, files=256)
    lab.server.until(lambda: lab.client.counter("TcpOutRsts") >= 228, "228 refused")


@incident(
    server=[
        Says("destination-failing", "warning", title=[r"connects to 10\.77\.0\.2", "refused"]),
    ]
)
def refused_sockets_are_closed(lab: Lab) -> None:
    """It waits a while before each new attempt: no leak, but a service that is down."""
    lab.server.python("leaky", lab.client.address, 5672, 1, 3, "tidy", files=256)
    lab.server.until(lambda: lab.client.counter("TcpOutRsts") >= 5, "5 refused")


@incident(
    server=[
        Says(
            LEAK,
            "warning",
            who="leaky",
            title=[r"leaky\.py", r"\b60 failed connects to 10\.77\.0\.2:5672"],
            told=[r"500 file descriptors"],
            values={"sockets": 60},
            destination="10.77.0.2:5672",
        )
    ],
)
def refusals_are_known_by_their_sockets(lab: Lab) -> None:
    """They do not become more, and it may open 500 files."""
    lab.server.python("leaky", lab.client.address, 5672, 60, 100, "deadline", files=500)
    lab.server.until(lambda: lab.client.counter("TcpOutRsts") >= 60, "60 refused")


@refusals_are_known_by_their_sockets.healthy()
def a_few_that_were_refused_are_kept(lab: Lab) -> None:
    lab.server.python("leaky", lab.client.address, 5672, 18, 100, "deadline", files=500)
    lab.server.until(lambda: lab.client.counter("TcpOutRsts") >= 18, "18 refused")


@incident(
    server=[
        Says(
            LEAK,
            "warning",
            who="leaky",
            title=[r"leaky\.py", r"10\.77\.0\.2:5672\b"],
            told=[r"grow by 1\d(\.\d)?/s", r"run out in"],
        )
    ],
)
def reset_sockets_are_never_closed(lab: Lab) -> None:
    """Each answer is a reset; the descriptors stay, fifteen more each second."""
    lab.client.python("resetting", lab.client.address, 5672, port=5672)
    lab.server.python("leaky", lab.client.address, 5672, 2000, 15, files=20_000)
    lab.server.until(lambda: lab.client.counter("TcpOutRsts") >= 30, "30 that were reset")


@incident(
    server=[
        Says(
            LEAK,
            "warning critical",
            who="keeping",
            title=[r"keeping\.py", r"are over and were never closed"],
            told=[r"Accepted on 10\.77\.0\.1:8080", r"from 10\.77\.0\.2\b"],
            listener="10.77.0.1:8080",
        )
    ],
)
def close_wait_ends_with_the_peers_reset(lab: Lab) -> None:
    """The server probes each second, the client's kernel forgets after one: a reset removes the row
    long before it has any age, and the descriptor stays (of Go, keepalive 15 s)."""
    lab.client.sysctl("net.ipv4.tcp_fin_timeout", 1)
    lab.server.python("keeping", lab.server.address, 8080, 1, port=8080, files=9000)
    lab.client.python("visitors", lab.server.address, 8080, 12)
    lab.server.until(lambda: lab.client.counter("TcpOutRsts") >= 25, "25 probes answered by resets")


@close_wait_ends_with_the_peers_reset.healthy()
def the_server_closes_after_its_clients(lab: Lab) -> None:
    lab.client.sysctl("net.ipv4.tcp_fin_timeout", 1)
    lab.server.python("orders", lab.server.address, 8080, port=8080)
    lab.client.python("visitors", lab.server.address, 8080, 12)
    lab.server.until(lambda: lab.server.counter("TcpPassiveOpens") >= 30, "30 visits")


@incident(
    server=[
        Says(
            GROWING,
            "warning critical",
            who="billing",
            title=[r"billing\.py", r"10\.77\.0\.2:80\b"],
            told=[r"2,000 file descriptors"],
            destination="10.77.0.2:80",
        )
    ],
)
def a_client_is_made_anew_for_each_request(lab: Lab) -> None:
    """20 more each second, idle since they were answered; 2000 descriptors last for 100 s."""
    _billing(lab, 1900, 20, files=2000)
    lab.server.until(lambda: _pooled(lab) >= 650, "650 connections", 45)


@a_client_is_made_anew_for_each_request.healthy()
def a_pool_fills_and_stops(lab: Lab) -> None:
    _billing(lab, 150, 12, 0.05)
    lab.server.until(lambda: _pooled(lab) >= 100, "100 connections")


@healthy(over_s=12)
def a_pool_is_used_in_turn(lab: Lab) -> None:
    """Each of 150 once in seven seconds, so that their last data looks like a growth."""
    _billing(lab, 150, 100, 0.05)
    lab.server.until(lambda: _pooled(lab) == 150, "150 connections")
    lab.wait(20)


@healthy(hosts="server", over_s=12)
def a_proxy_opens_one_for_each_client(lab: Lab) -> None:
    """Clients that come and stay, 8 more each second."""
    lab.client.python("orders", lab.client.address, 80, 512, port=80)
    lab.server.python("proxy", lab.server.address, 8080, lab.client.address, 80, port=8080)
    lab.client.python("staying", lab.server.address, 8080, 8)
    lab.server.until(lambda: _pooled(lab) >= 250, "250 connections", 45)


def _pooled(lab: Lab) -> int:
    return lab.server.count("ESTABLISHED", remote=80)


def _billing(lab: Lab, *words: float, files: int = 4000) -> None:
    client = lab.client
    ok = f'server {{ listen {client.address}:80; location / {{ return 200 "ok"; }} }}'
    client.nginx("nginx", f"keepalive_timeout 3600s; keepalive_requests 100000; {ok}", 80)
    lab.server.python("billing", client.address, 80, *words, files=files)


@incident(
    server=[
        Says(SELF, "warning", who="agent", title=[r"127\.0\.0\.1:33100\b"], told=[r"bind|listen"])
    ],
)
def a_client_has_connected_to_itself(lab: Lab) -> None:
    """A service that is down, on a port inside the ephemeral range: the kernel chose that port."""
    lab.server.sysctl("net.ipv4.ip_local_port_range", "33000 33199")
    lab.server.python("agent", 33100, 300)
    lab.server.until(lambda: _established(lab) == 1, "a connection to itself")
    lab.wait(5)  # the refused attempts before it are over


@incident(
    server=[
        Says("destination-failing", "warning", title=[r"connects to 127\.0\.0\.1", "refused"]),
    ]
)
def a_client_waits_for_its_service(lab: Lab) -> None:
    """The service's port is outside the range of the others: it is down, and no more than that."""
    lab.server.sysctl("net.ipv4.ip_local_port_range", "33101 33199")
    lab.server.python("agent", 33100, 5)
    lab.wait(2)


def _established(lab: Lab) -> int:
    return lab.server.count("ESTABLISHED", local=33100, remote=33100)


@incident(
    client=[
        Says(
            RESETS,
            "warning",
            who="agents",
            told=[r"10\.77\.0\.1:9200\b", r"idle timeout"],
            never=[r"it is no idle timeout"],
            destination="10.77.0.1:9200",
        )
    ],
)
def the_server_forgets_idle_clients_first(lab: Lab) -> None:
    """A keep-alive agent asks on a connection that the server has just closed: reset by peer."""
    _agents(lab, 1, 1.2)


@the_server_forgets_idle_clients_first.healthy()
def clients_forget_idle_connections_first(lab: Lab) -> None:
    _agents(lab, 5, 1.2)


def _agents(lab: Lab, idle_s: float, pause_s: float) -> None:
    server = lab.server
    server.python("impatient", server.address, 9200, idle_s, port=9200)
    lab.client.python("agents", server.address, 9200, 40, pause_s)
    server.until(lambda: server.counter("TcpPassiveOpens") >= 40, "40 connections")


@incident(
    client=[
        Says(
            "destination-failing",
            "warning",
            who="posting",
            title=[
                r"^\d+ of \d+ connections to 10\.77\.0\.1:3000 \(by posting\.py\) within \d+ s "
                r"were reset as they were used again after about (1\.9|2) s idle$"
            ],
            told=[r"idle limit of the caller's pool below it"],
            never=[r"[Ff]irewall|load balancer|NAT"],
            destination="10.77.0.1:3000",
        )
    ],
)
def the_server_ends_idle_connections_as_they_are_used_again(lab: Lab) -> None:
    """In the incident Go's clients and the keepAliveTimeout of node: a request that has come is
    not read any more, as the connection has been idle for too long."""
    _posting(lab, 1.75, 2.0)


@the_server_ends_idle_connections_as_they_are_used_again.healthy()
def the_clients_end_idle_connections_sooner(lab: Lab) -> None:
    _posting(lab, 1.0, 1.4)


def _posting(lab: Lab, least_s: float, most_s: float) -> None:
    server = lab.server
    server.python("sweeping", server.address, 3000, 2, port=3000)
    lab.client.python("posting", server.address, 3000, 30, least_s, most_s)
    server.until(lambda: server.counter("TcpPassiveOpens") >= 30, "30 connections")
    lab.wait(2)


@incident(
    client=[
        Says(
            "close-wait-leak close-wait-unread",
            "warning",
            who="borrowing",
            title=[r"borrowing\.py|python", r"\b40\b"],
            told=[r"sooner than 10\.77\.0\.1:5432 closes them"],
            never=[r"workers", r"thread dump"],
            values={"sockets": 40},
            destination="10.77.0.1:5432",
        )
    ],
    limits={"close-wait-leak.age_s": 5, "close-wait-unread.age_s": 5},
)
def a_pool_forgets_what_the_server_has_closed(lab: Lab) -> None:
    """A pool without an idle test (5 s for 60)."""
    lab.server.python("impatient", lab.server.address, 5432, 2, port=5432)
    lab.client.python("borrowing", lab.server.address, 5432, 40, 40, 600)
    lab.client.until(lambda: lab.client.count("CLOSE_WAIT", remote=5432) == 40, "40 closed")
    lab.wait(1)


@a_pool_forgets_what_the_server_has_closed.healthy()
def a_pool_closes_what_the_server_has_closed(lab: Lab) -> None:
    """It dials anew each time."""
    lab.server.python("impatient", lab.server.address, 5432, 2, port=5432)
    lab.client.python("agents", lab.server.address, 5432, 10, 3)
    lab.client.until(lambda: lab.client.counter("TcpActiveOpens") >= 11, "one dialed anew")


@healthy()
def a_pool_shrinks(lab: Lab) -> None:
    _borrowing(lab, 40, 10)


@healthy()
def a_server_has_closed_an_idle_pool(lab: Lab) -> None:
    """The pool will see that when it next lends one of them."""
    lab.server.python("impatient", lab.server.address, 5432, 3, port=5432)
    lab.client.python("borrowing", lab.server.address, 5432, 40, 40, 600)
    lab.client.until(lambda: lab.client.count("CLOSE_WAIT", remote=5432) == 40, "40 closed")


def _borrowing(lab: Lab, count: int, left: int) -> None:
    lab.server.python("orders", lab.server.address, 5432, port=5432)
    lab.client.python("borrowing", lab.server.address, 5432, count, left, 2)
    lab.client.until(lambda: lab.client.count("ESTABLISHED", remote=5432) == count, "a pool")


@incident(
    server=[
        Says(
            "inherited-connections",
            "warning",
            title=[r"^12 processes of sleep hold 12 connections of parent\.py on .*:8002"],
            told=[r"parent\.py \(python.*, pid {parent}\)", r"timed sleep", r"close-on-exec"],
            values={"connections": 12, "processes": 12},
            listener="10.77.0.1:8002",
        )
    ],
)
def jobs_inherit_the_connections_of_clients(lab: Lab) -> None:
    _jobs(lab)
    lab.client.until(lambda: lab.client.count("ESTABLISHED", remote=8002) >= 12, "12 that hang")
    lab.wait(6)


@jobs_inherit_the_connections_of_clients.healthy()
def jobs_inherit_nothing(lab: Lab) -> None:
    _jobs(lab, "tidy")
    lab.client.until(lambda: lab.client.counter("TcpActiveOpens") >= 36, "36 that are answered")
    lab.wait(6)


def _jobs(lab: Lab, *more: str) -> None:
    lab.server.python("parent", lab.server.address, 8002, 12, *more, port=8002)
    lab.client.python("until_end", lab.server.address, 8002, 12)


class TestKeeping(Proving):
    incidents = (
        refused_sockets_are_never_closed,
        refused_sockets_are_closed,
        refusals_are_known_by_their_sockets,
        close_wait_ends_with_the_peers_reset,
        reset_sockets_are_never_closed,
        a_client_is_made_anew_for_each_request,
        a_client_has_connected_to_itself,
        a_client_waits_for_its_service,
        the_server_forgets_idle_clients_first,
        the_server_ends_idle_connections_as_they_are_used_again,
        a_pool_forgets_what_the_server_has_closed,
        jobs_inherit_the_connections_of_clients,
    )
    loads = (
        a_pool_is_used_in_turn,
        a_proxy_opens_one_for_each_client,
        a_pool_shrinks,
        a_server_has_closed_an_idle_pool,
    )

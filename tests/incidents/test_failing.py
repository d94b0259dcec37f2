"""Small services that fail altogether, at rates that no threshold of rates would notice."""

from __future__ import annotations

from tests.incidents.incident import Says, healthy, incident
from tests.incidents.lab import Lab
from tests.incidents.proving import Proving

FAILING = "destination-failing"


@incident(
    client=[
        Says(
            FAILING,
            "warning",
            title=[r"[Aa]ll [\d,]+ connects to 10\.77\.0\.1:5672", "were refused"],
            told=["listens"],
            never=["idle", "firewall drops"],
            destination="10.77.0.1:5672",
        )
    ],
)
def a_quiet_service_is_down(lab: Lab) -> None:
    """Its three callers try twice a second."""
    lab.client.python("dialer", lab.server.address, 5672, 3, 2, 0.5)
    lab.client.until(lambda: lab.client.counter("TcpAttemptFails") >= 3, "refused ones")


@a_quiet_service_is_down.healthy()
def a_quiet_service_is_up(lab: Lab) -> None:
    lab.server.python("orders", lab.server.address, 5672, port=5672)
    lab.client.python("dialer", lab.server.address, 5672, 3, 2, 0.5)
    lab.client.until(lambda: lab.client.counter("TcpActiveOpens") >= 6, "calls")


@incident(
    client=[
        Says(
            FAILING,
            "warning",
            who="dialer",
            title=[r"10\.77\.0\.1:8000", r"dialer\.py", "closed here for want of an answer"],
            told=["acknowledged", "never got a byte"],
            never=["refused", "Start the service"],
            destination="10.77.0.1:8000",
        )
    ],
    server=[
        Says(
            "requests-unanswered",
            "warning",
            who="orders",
            title=[r"Clients of orders\.py on 10\.77\.0\.1:8000 gave up", r"about 1\.[56] s each"],
            told=[r"in order \(FIN\)", "10\\.77\\.0\\.2", "that is a deadline"],
            never=["leak"],
            listener="10.77.0.1:8000",
        )
    ],
    over_s=9,
)
def a_server_answers_nobody_in_time(lab: Lab) -> None:
    """Its answers take longer than its four clients wait, each of whom is young."""
    lab.server.python("orders", lab.server.address, 8000, 128, 60, port=8000)
    lab.client.python("dialer", lab.server.address, 8000, 4, 1.5, 0.1)
    lab.client.until(lambda: lab.client.counter("TcpActiveOpens") >= 8, "two rounds")


@a_server_answers_nobody_in_time.healthy()
def a_server_answers_in_time(lab: Lab) -> None:
    lab.server.python("orders", lab.server.address, 8000, 128, 1, port=8000)
    lab.client.python("dialer", lab.server.address, 8000, 4, 1.5, 0.1)
    lab.client.until(lambda: lab.client.counter("TcpActiveOpens") >= 8, "two rounds")


@incident(
    client=[
        Says(
            FAILING,
            "warning",
            who="reusing",
            title=[r"10\.77\.0\.1:6379", "reset before an answer"],
            told=["had been idle", "NAT"],
            never=["refused"],
            destination="10.77.0.1:6379",
        )
    ],
    over_s=10,
)
def idle_connections_are_forgotten(lab: Lab) -> None:
    """A filter resets what is said after two seconds of silence."""
    lab.server.python("orders", lab.server.address, 6379, port=6379)
    lab.server.filter("tcp dport 6379 tcp flags psh reject with tcp reset")
    lab.client.python("reusing", lab.server.address, 6379, 6, 2)
    lab.client.until(lambda: lab.client.counter("TcpEstabResets") >= 6, "resets")


@idle_connections_are_forgotten.healthy()
def idle_connections_are_kept(lab: Lab) -> None:
    lab.server.python("orders", lab.server.address, 6379, port=6379)
    lab.client.python("reusing", lab.server.address, 6379, 6, 2)
    lab.wait(3)


@incident(
    client=[
        Says(
            FAILING,
            "warning",
            who="reusing",
            title=[r"10\.77\.0\.1:6379", "reset in use with a request unanswered"],
            told=["second host with the same address", "had been answered before"],
            never=["refused", "idle", "in vain"],
            destination="10.77.0.1:6379",
        )
    ],
    over_s=10,
)
def connections_are_reset_in_use(lab: Lab) -> None:
    """By another host with the same address, which gets a packet now and then."""
    lab.server.python("orders", lab.server.address, 6379, port=6379)
    some = "tcp dport 6379 tcp flags psh numgen random mod 20 == 0"
    lab.server.filter(f"{some} reject with tcp reset")
    lab.client.python("reusing", lab.server.address, 6379, 8, 0.2)
    lab.client.until(lambda: lab.client.counter("TcpEstabResets") >= 3, "resets")


@incident(
    client=[
        Says(
            FAILING,
            "warning critical",  # a machine that is late sees more than a round
            who="crowd",
            title=[r"All (?:4|8|12) connects to 10\.77\.0\.1:8080", r"crowd\.py", "got no answer"],
            told=["sent the SYN again", "firewall"],
            never=["refused"],
            destination="10.77.0.1:8080",
        )
    ],
    over_s=5,
)
def four_callers_give_up_together(lab: Lab) -> None:
    """Every eight seconds, after two: whoever looks for five seconds sees one round."""
    lab.server.ingress("tcp dport 8080 drop")
    lab.client.python("crowd", lab.server.address, 8080, 4, 8, 2)
    lab.client.until(lambda: lab.client.count("SYN_SENT", remote=8080) >= 4, "SYNs")


@incident(
    gateway=[
        Says(
            FAILING,
            "warning",
            who="haproxy",
            title=[r"10\.76\.0\.1:8000", "haproxy", "closed here for want of an answer"],
            told=["acknowledged", "never got a byte"],
            never=["refused", "CLOSE"],
            destination="10.76.0.1:8000",
        )
    ],
    server=[
        Says(
            "requests-unanswered",
            "warning",
            who="pages",
            title=[
                r"pages\.py on 10\.76\.0\.1:8000 gave up",
                r"about (1\.9|2|2\.1) s each",
            ],
            told=["by a reset", r"10\.76\.0\.254", "timeout server of haproxy"],
            never=["leak"],
            listener="10.76.0.1:8000",
        )
    ],
    over_s=10,
)
def a_proxy_gives_up_on_its_server(lab: Lab) -> None:
    """After two seconds, and answers 504; it resets what it had opened, and the thread that still
    works for each keeps a socket that no list shows."""
    _behind_a_proxy(lab, 20, "")
    lab.gateway.until(lambda: lab.gateway.counter("TcpExtTCPAbortOnData") >= 10, "timeouts")


@a_proxy_gives_up_on_its_server.healthy()
def a_proxy_resets_what_was_answered(lab: Lab) -> None:
    """As soon as its answer is there: which takes a second, as each time."""
    _behind_a_proxy(lab, 1, "http-reuse never")
    lab.gateway.until(lambda: lab.gateway.counter("TcpExtTCPAbortOnData") >= 10, "answers")


def _behind_a_proxy(lab: Lab, pause_s: float, option: str) -> None:
    server, gateway = lab.server, lab.gateway
    server.python("pages", server.address, 8000, pause_s, port=8000)
    front = f" timeout server 2s\nfrontend f\n bind {gateway.address}:80\n default_backend b"
    back = f"backend b\n {option}\n server s1 {server.address}:8000"
    gateway.haproxy("haproxy", f"{front}\n{back}", 80)
    lab.client.python("browsers", gateway.address, 80, 8, 10)


@incident(
    client=[
        Says(
            FAILING,
            "warning",
            who="leave",
            title=[
                r"[\d,]+ connections to 10\.77\.0\.1:443",
                "closed here for want of an answer",
            ],
            told=["had waited (between )?(1.9|2)"],
            destination="10.77.0.1:443",
        )
    ],
    over_s=9,
)
def nobody_answers_within_tls(lab: Lab) -> None:
    """Of some the request went within the tick in which the handshake ended."""
    _within_tls(lab, 60)


@nobody_answers_within_tls.healthy()
def a_server_answers_within_tls(lab: Lab) -> None:
    _within_tls(lab, 1)


def _within_tls(lab: Lab, pause_s: float) -> None:
    server = lab.server
    key, certificate = lab.home / "key", lab.home / "certificate"
    words = ["req", "-x509", "-newkey", "ed25519", "-nodes", "-subj", "/CN=shop"]
    server.namespace.command(["openssl", *words, "-keyout", str(key), "-out", str(certificate)])
    server.python("tls", "serve", server.address, 443, key, certificate, pause_s, port=443)
    lab.client.python("tls", "leave", server.address, 443, 10, name="leave")
    lab.client.until(lambda: lab.client.counter("TcpActiveOpens") >= 15, "two rounds")


@healthy(hosts="server", over_s=9)
def metrics_are_sent_and_nobody_answers(lab: Lab) -> None:
    """As nc -w 1 does: who sends them waits for a second before it closes."""
    lab.server.python("sink", lab.server.address, 2003, port=2003)
    lab.client.python("dialer", lab.server.address, 2003, 8, 1, 0.1)
    lab.wait(2)


@healthy(over_s=9)
def logs_are_sent_and_nobody_answers(lab: Lab) -> None:
    """Sent and closed at once, as syslog and metrics are."""
    lab.server.python("sink", lab.server.address, 5140, port=5140)
    lab.client.python("dialer", lab.server.address, 5140, 4, 0.01, 0.3)
    lab.wait(2)


@incident(
    client=[
        Says(
            FAILING,
            "warning",
            title=[r"^[\d,]+ of [\d,]+ connects to 10\.77\.0\.1:8000 within", "were refused"],
            told=["one of several servers behind that address"],
            never=["check that something listens"],
            destination="10.77.0.1:8000",
        )
    ],
    over_s=10,
)
def one_back_end_of_many_refuses(lab: Lab) -> None:
    """Behind one address: one connect of 16 comes to a server that is gone."""
    _shared(lab, 16)
    lab.client.until(lambda: lab.client.counter("TcpAttemptFails") >= 5, "refused ones")


@one_back_end_of_many_refuses.healthy()
def no_back_end_refuses(lab: Lab) -> None:
    _shared(lab, 0)
    lab.wait(2)


def _shared(lab: Lab, every: int) -> None:
    lab.server.python("orders", lab.server.address, 8000, port=8000)
    if every:
        lab.server.nft(
            "table ip n {\nchain p {\ntype nat hook prerouting priority -100\n"
            f"tcp dport 8000 numgen inc mod {every} 0 redirect to :8999\n}}\n}}"
        )
    lab.client.python("dialer", lab.server.address, 8000, 4, 2, 0.1)


@incident(
    client=[
        Says(
            FAILING,
            "info warning",  # the longer it was watched, the more there are
            title=[r"[Aa]ll [\d,]+ connects to 10\.77\.0\.1:5672 .*were refused"],
            destination="10.77.0.1:5672",
        )
    ],
    over_s=12,
)
def a_pool_has_given_up_and_asks_now_and_then(lab: Lab) -> None:
    lab.client.python("dialer", lab.server.address, 5672, 1, 2, 3)


@incident(
    client=[
        Says(
            FAILING,
            "info",
            title=[r"[\d,]+ of [\d,]+ connects to 10\.77\.0\.1 within .* were refused"],
            told=[
                "opened or brought something meanwhile, at whatever port",
                "no longer knows the port",
            ],
            never=["No other connection", "at the same port"],
            destination="10.77.0.1",
        )
    ],
    over_s=9,
)
def one_port_of_a_host_is_down_for_a_deploy(lab: Lab) -> None:
    """Its callers wait in connect(), after which the kernel has forgotten the port."""
    lab.server.python("orders", lab.server.address, 8000, port=8000)
    lab.client.python("dialer", lab.server.address, 8000, 4, 2, 0.1)
    lab.client.python("dialer", lab.server.address, 5672, 1, 0, 1.5, name="checker")
    lab.client.until(lambda: lab.client.counter("TcpAttemptFails") >= 1, "a refused one")


@incident(
    client=[
        Says(
            f"{FAILING} connect-unanswered",
            "info warning",
            who="dialer",
            title=[r"10\.77\.0\.99"],
            told=[r"10\.77\.0\.99 (does not answer|.*ARP)|ip neigh"],
        )
    ],
    over_s=18,
)
def a_host_is_gone_and_asked_for_now_and_then(lab: Lab) -> None:
    """EHOSTUNREACH after three seconds each time."""
    lab.client.python("dialer", "10.77.0.99", 5672, 1, 8, 2)


@incident(
    client=[
        Says(
            f"{FAILING} connect-unanswered",
            "info warning",
            title=[r"10\.99\.0\.1:5672", "rejected by ICMP"],
        )
    ],
    gateway=[],
    over_s=12,
)
def a_gateway_has_no_route(lab: Lab) -> None:
    """ENETUNREACH or EHOSTUNREACH at once, by the ICMP of the gateway."""
    lab.client.python("dialer", "10.99.0.1", 5672, 1, 8, 3)


@incident(
    client=[
        Says(
            FAILING,
            "warning",
            who="listening",
            title=[r"^All \d+ connections to 10\.77\.0\.1:25 .*for want of a greeting"],
            told=["the server speaks first", "TCP_DEFER_ACCEPT"],
            never=["firewall", "acknowledged what was sent"],
            destination="10.77.0.1:25",
        )
    ],
)
def a_server_that_speaks_first_waits_for_its_clients(lab: Lab) -> None:
    """In the incident haproxy's defer-accept before a mail server."""
    lab.server.python("greeting", lab.server.address, 25, 30, port=25)
    lab.client.python("listening", lab.server.address, 25, 12, 3)
    lab.wait(4)


@a_server_that_speaks_first_waits_for_its_clients.healthy()
def a_server_greets(lab: Lab) -> None:
    lab.server.python("greeting", lab.server.address, 25, port=25)
    lab.client.python("listening", lab.server.address, 25, 12, 3)
    lab.wait(2)


class TestFailing(Proving):
    incidents = (
        a_quiet_service_is_down,
        a_server_answers_nobody_in_time,
        idle_connections_are_forgotten,
        connections_are_reset_in_use,
        four_callers_give_up_together,
        a_proxy_gives_up_on_its_server,
        one_back_end_of_many_refuses,
        one_port_of_a_host_is_down_for_a_deploy,
        a_pool_has_given_up_and_asks_now_and_then,
        a_host_is_gone_and_asked_for_now_and_then,
        a_gateway_has_no_route,
        nobody_answers_within_tls,
        a_server_that_speaks_first_waits_for_its_clients,
    )
    loads = (logs_are_sent_and_nobody_answers, metrics_are_sent_and_nobody_answers)

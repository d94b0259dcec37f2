"""What is usual at the edge of a network, and nobody should be woken for."""

from __future__ import annotations

from tests.incidents.incident import Says, healthy, incident
from tests.incidents.lab import Lab
from tests.incidents.proving import Proving

_OK = 'location / { return 200 "ok"; }'


@healthy()
def haproxy_checks_over_http(lab: Lab) -> None:
    """30 checks a second, each ended by a reset once its answer is there."""
    lab.server.python("hello", lab.server.address, 80, port=80)
    _checks(lab, "option httpchk GET /")


@healthy()
def haproxy_checks_nginx(lab: Lab) -> None:
    """nginx closes too: who is first is a matter of luck."""
    _nginx(lab)
    _checks(lab, "option httpchk GET /")


@healthy()
def haproxy_checks_that_the_port_is_open(lab: Lab) -> None:
    """30 checks a second, each a reset instead of the last part of the handshake."""
    _nginx(lab)
    _checks(lab, "")


@healthy()
def haproxy_checks_beside_traffic(lab: Lab) -> None:
    lab.server.python("hello", lab.server.address, 80, port=80)
    lab.client.python("caller", lab.server.address, 80, 20, "http")
    _checks(lab, "option httpchk GET /")


def _nginx(lab: Lab, listen: str = "") -> int:
    server = lab.server
    http = f"server {{ listen {server.address}:80 {listen}; {_OK} }}"
    return server.nginx("nginx", http, 80, workers=2)


def _checks(lab: Lab, option: str) -> None:
    to = f"{lab.server.address}:80"
    servers = "\n ".join(f"server s{number} {to} check inter 1s" for number in range(30))
    front = "frontend f\n bind 127.0.0.1:81\n default_backend b"
    lab.client.haproxy("haproxy", f"{front}\nbackend b\n {option}\n {servers}", 81)
    lab.server.until(lambda: lab.client.counter("TcpActiveOpens") >= 60, "60 checks")


@healthy()
def websockets_are_idle(lab: Lab) -> None:
    """600 of them, a ping each 20 s."""
    lab.server.python("orders", lab.server.address, 8080, 1024, port=8080)
    lab.client.python("pool", lab.server.address, 8080, 600, 20)
    lab.server.until(lambda: lab.server.count("ESTABLISHED", local=8080) == 600, "600 of them")


@healthy()
def nginx_is_deployed_under_load(lab: Lab) -> None:
    """Every second new workers take over, and the old ones end."""
    pid = _nginx(lab)
    lab.client.start("wrk", "wrk", "-t1", "-c8", "-d120", f"http://{lab.server.address}/")
    lab.client.python("browsers", lab.server.address, 80, 20, 5)
    again = f"while sleep 1; do kill -HUP {pid}; done"
    lab.server.start("deploy", "sh", "-c", again)
    lab.wait(1)


@healthy()
def a_new_server_takes_over_from_the_old(lab: Lab) -> None:
    """Both listen (SO_REUSEPORT) for a while; then the old one is told to quit."""
    server = lab.server
    pid = _nginx(lab, "reuseport")
    lab.client.python("browsers", server.address, 80, 40, 5)
    http = f"server {{ listen {server.address}:80 reuseport; {_OK} }}"
    server.nginx("new", http, 80, workers=2)
    lab.wait(2)
    server.quit(pid)


@healthy()
def tls_clients_are_idle(lab: Lab) -> None:
    """30 that have not read their session tickets, beside 10 that talk."""
    server, client = lab.server, lab.client
    key, certificate = lab.home / "key", lab.home / "certificate"
    words = ["req", "-x509", "-newkey", "ed25519", "-nodes", "-subj", "/CN=shop"]
    server.namespace.command(["openssl", *words, "-keyout", str(key), "-out", str(certificate)])
    server.python("tls", "serve", server.address, 443, key, certificate, port=443)
    client.python("tls", "idle", server.address, 443, 30, name="idle")
    client.python("tls", "talk", server.address, 443, 10, name="talk")
    server.until(lambda: server.count("ESTABLISHED", local=443) == 40, "40 clients")


@healthy()
def browsers_connect_before_they_ask(lab: Lab) -> None:
    """The kernel keeps those from a listener with deferred accept: half-open connections that are
    no sign of anything."""
    server = lab.server
    _nginx(lab, "deferred")
    lab.client.python("preconnect", server.address, 80, 600, 10)
    lab.client.python("browsers", server.address, 80, 20, 5)
    server.until(lambda: server.count("SYN_RECV", local=80) >= 5, "half-open connections")


@incident(
    server=[
        Says(
            "accept-queue-overflow",
            "critical",
            who="fpm",
            title=[r"fpm\.py on /\S+fpm\.socket is not accepting", r"full \(2 of 2\)"],
            told=[r"nginx \(pid", r"Bad Gateway"],
            never=[r"SYN", r"somaxconn"],
            values={"queued": 2, "capacity": 2},
        )
    ],
)
def php_is_full_behind_a_path(lab: Lab) -> None:
    """nginx answers 502 at once: the queue that is full is none of TCP's."""
    _php(lab)
    server = lab.server
    server.until(lambda: server.counter("TcpPassiveOpens") >= 40, "40 requests")


@php_is_full_behind_a_path.healthy()
def php_answers_behind_a_path(lab: Lab) -> None:
    _php(lab, "answers")
    server = lab.server
    server.until(lambda: server.counter("TcpPassiveOpens") >= 40, "40 requests")


def _php(lab: Lab, *does: str) -> None:
    server, path = lab.server, lab.home / "fpm.socket"
    server.python("fpm", path, *does)
    server.until(path.exists, "a socket")
    place = f"location / {{ proxy_pass http://unix:{path}:/; }}"
    server.nginx("nginx", f"server {{ listen {server.address}:80; {place} }}", 80)
    lab.client.python("browsers", server.address, 80, 20, 5)


class TestEdge(Proving):
    incidents = (php_is_full_behind_a_path,)
    loads = (
        haproxy_checks_over_http,
        haproxy_checks_nginx,
        haproxy_checks_that_the_port_is_open,
        haproxy_checks_beside_traffic,
        websockets_are_idle,
        nginx_is_deployed_under_load,
        a_new_server_takes_over_from_the_old,
        tls_clients_are_idle,
        browsers_connect_before_they_ask,
    )

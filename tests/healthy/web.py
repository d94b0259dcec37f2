"""nginx, alone and behind haproxy, with those who load it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from subprocess import Popen

from tests.healthy.load import Place
from tests.healthy.programs import LONGEST_S, home, python, running

PORT, FRONT = 8080, 8000
PACED = Path(__file__).with_name("paced.lua")
_DOWNLOAD = 1 << 30  # bytes: more than any reader here takes before the end

_NGINX = """
daemon off; user www-data; worker_processes 2; pid {home}/pid; error_log stderr;
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; tcp_nopush on; default_type text/plain;
  client_body_temp_path {home}/body; proxy_temp_path {home}/proxy;
  fastcgi_temp_path {home}/fastcgi; scgi_temp_path {home}/scgi; uwsgi_temp_path {home}/uwsgi;
  server {{
    listen {address}:{port} {listen}; root {home};
    location = / {{ return 200 "hello\n"; }}
  }}
}}
"""

_HAPROXY = """
global
  nbthread 1
  maxconn 1000
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
frontend front
  bind {address}:{front}
  default_backend nginx
backend nginx
  http-reuse always
  server-template one 16 {address}:{port} check inter 2s
"""


@contextmanager
def nginx(place: Place, listen: str = "") -> Iterator[Popen[bytes]]:
    with home() as at:
        config = at / "nginx.conf"
        config.write_text(_NGINX.format(home=at, address=place.address, port=PORT, listen=listen))
        (at / "large").touch()
        os.truncate(at / "large", _DOWNLOAD)
        words = ["nginx", "-c", config, "-p", at]
        with running(place.server, words, port=PORT) as process:
            yield process


def wrk(
    place: Place, connections: int, *words: str, port: int = PORT, paced: bool = True
) -> AbstractContextManager[object]:
    """Where it is not `paced`, as fast as it goes: a few do, for all loads share the machine."""
    url = f"http://{place.address}:{port}/"
    words = ("-s", str(PACED), *words) if paced else words
    options = ["-t", 1, "-c", connections, "-d", LONGEST_S, *words, url]
    return running(place.client, ["wrk", *options], stop=signal.SIGINT, never="Non-2xx")


@contextmanager
def keep_alive(place: Place) -> Iterator[None]:
    """64 connections, on loopback under full load; nginx closes each after 1,000 requests."""
    with nginx(place), wrk(place, 64, paced=place.client is not place.server):
        yield


@contextmanager
def closing(place: Place) -> Iterator[None]:
    """A connection a request as fast as it goes. nginx closes first: TIME_WAIT is its own."""
    with nginx(place), wrk(place, 200, "-H", "Connection: close", paced=False):
        yield


@contextmanager
def closing_many_queues(place: Place) -> Iterator[None]:
    """The same where each worker has its own listener and is not woken before there is data."""
    with nginx(place, "reuseport deferred"), wrk(place, 64, "-H", "Connection: close"):
        yield


@contextmanager
def closing_slowly(place: Place) -> Iterator[None]:
    """30 connections a second: half of them closed by the server first, half by the client."""
    with nginx(place), running(place.client, python("clients", "requests", place.address, PORT)):
        yield


@contextmanager
def reloading(place: Place) -> Iterator[None]:
    """Workers that end their connections and make room for new ones while wrk runs."""
    again = "while sleep 3; do kill -HUP $0; done"
    with nginx(place) as process, wrk(place, 32):
        reload = running(place.server, ["sh", "-c", again, process.pid])
        with reload:
            yield


@contextmanager
def proxied(place: Place) -> Iterator[None]:
    """haproxy also looks after its servers, and ends each of these connections with a RST."""
    with home("haproxy") as at, nginx(place):
        config = at / "haproxy.cfg"
        config.write_text(_HAPROXY.format(address=place.address, port=PORT, front=FRONT))
        words = ["haproxy", "-db", "-f", config]
        with running(place.server, words, user="haproxy", port=FRONT), wrk(place, 32, port=FRONT):
            yield


@contextmanager
def downloads(place: Place) -> Iterator[None]:
    """Large files for readers of 4 MB/s, so that the server always has more to send.

    curl reads in bursts: at 2 MB/s it can pause for 5 s, at 100 kB/s for 30.
    """
    url = f"http://{place.address}:{PORT}/large"
    curl = ["curl", "-sf", "-o", "/dev/null", "--max-time", LONGEST_S, "--limit-rate", "4M", url]
    with nginx(place), running(place.client, curl), running(place.client, curl):
        yield

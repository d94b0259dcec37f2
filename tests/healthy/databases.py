"""PostgreSQL with and without a pool, and redis, under their own benchmarks."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from tcptop.demo.held import until
from tests.healthy.load import Place
from tests.healthy.programs import LONGEST_S, home, running

POSTGRES, BOUNCER, REDIS = 5432, 6432, 6379
_ENDLESS = 10**9  # requests; redis-benchmark's own loop (-l) dials anew each time
RATE = 200  # transactions a second
_USER = "postgres"

_PGBOUNCER = """
[databases]
postgres = host={address} port={port} user=postgres
[pgbouncer]
listen_addr = {address}
listen_port = {bouncer}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 8
"""


def _binary(name: str) -> Path:
    """Debian keeps each version of PostgreSQL by itself."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    if not found:
        raise FileNotFoundError(f"{name}: install the package postgresql")
    return found[-1]


@contextmanager
def postgres(place: Place) -> Iterator[None]:
    """A new cluster, filled for pgbench."""
    with home(_USER) as at:
        data = at / "data"
        make = [_binary("initdb"), "-D", data, "-A", "trust", "--no-sync", "--no-locale"]
        place.server.command(["setpriv", f"--reuid={_USER}", "--clear-groups", *map(str, make)])
        words = [_binary("postgres"), "-D", data, "-h", place.address, "-k", "", "-F"]
        # SIGINT: do not wait for clients
        with running(place.server, words, user=_USER, port=POSTGRES, stop=signal.SIGINT):
            status = data / "postmaster.pid"
            until(lambda: "ready" in status.read_text(), "PostgreSQL ready", 20)
            place.client.command([*map(str, _pgbench(place, POSTGRES)), "-i", "-q"])
            yield


def pgbench(place: Place, port: int, *words: object) -> AbstractContextManager[object]:
    options = ["-n", "-T", LONGEST_S, *words]
    return running(place.client, [*_pgbench(place, port), *options], never="error")


def _pgbench(place: Place, port: int) -> list[object]:
    return [_binary("pgbench"), "-h", place.address, "-p", port, "-U", _USER, "-d", "postgres"]


@contextmanager
def pooled(place: Place) -> Iterator[None]:
    with postgres(place), pgbench(place, POSTGRES, "-c", 8, "-R", RATE):
        yield


@contextmanager
def unpooled(place: Place) -> Iterator[None]:
    """A connection a transaction. 20 each second: 400 would use up the ports within a minute."""
    with postgres(place), pgbench(place, POSTGRES, "-c", 4, "-C", "-R", 20):
        yield


@contextmanager
def bounced(place: Place) -> Iterator[None]:
    """32 clients share 8 connections through pgbouncer."""
    with home(_USER) as at, postgres(place):
        config = at / "pgbouncer.ini"
        ports = {"port": POSTGRES, "bouncer": BOUNCER}
        config.write_text(_PGBOUNCER.format(address=place.address, **ports))
        words = ["pgbouncer", config]
        bouncer = running(place.server, words, user=_USER, port=BOUNCER)
        with bouncer, pgbench(place, BOUNCER, "-c", 32, "-R", RATE):
            yield


@contextmanager
def redis(place: Place) -> Iterator[None]:
    """50 clients that wait for each answer."""
    with _redis_server(place), _redis_benchmark(place):
        yield


@contextmanager
def redis_pipelined(place: Place) -> Iterator[None]:
    """50 clients that send 16 requests at once."""
    with _redis_server(place), _redis_benchmark(place, "-P", 16):
        yield


@contextmanager
def _redis_server(place: Place) -> Iterator[None]:
    with home("redis") as at:
        options = ["--bind", place.address, "--port", REDIS, "--dir", at]
        never_saved = ["--save", "", "--protected-mode", "no"]
        words = ["redis-server", *options, *never_saved]
        with running(place.server, words, user="redis", port=REDIS):
            yield


def _redis_benchmark(place: Place, *words: object) -> AbstractContextManager[object]:
    options = ["-h", place.address, "-p", REDIS, "-c", 50, "-n", _ENDLESS, "-t", "set", *words]
    return running(place.client, ["redis-benchmark", *options], never="rror")

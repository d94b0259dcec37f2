"""Clients of kinds that Debian has no small program for: python -m tests.healthy.clients KIND ...

KIND ADDRESS PORT. They run until they are killed, or end with a traceback when something fails.
"""

from __future__ import annotations

import asyncio
import random
import socket
import sys
import time
from collections.abc import Awaitable, Callable

Client = Callable[[str, int], Awaitable[None]]

REQUESTS_PER_S = 30
READ, PAUSE_S = 262_144, 1.5  # a slow reader: so many bytes, then so long nothing
BURST, BURST_EVERY_S = 50, 2.0
RETRY_S = 0.5
PAUSED_S = 0.05
RECYCLED_S = 4.0
_GET = "GET / HTTP/1.1\r\nHost: host\r\nConnection: %s\r\n\r\n"
_ANSWERED = b"hello\n"


async def requests(address: str, port: int) -> None:
    """HTTP requests with a connection each; every other one is closed by the client first."""
    for number in range(sys.maxsize):
        await asyncio.sleep(1 / REQUESTS_PER_S)
        reader, writer = await asyncio.open_connection(address, port)
        writer.write((_GET % ("close" if number % 2 else "keep-alive")).encode())
        await reader.readuntil(_ANSWERED)
        if number % 2:
            await reader.read()
        writer.close()


async def talkative(address: str, port: int) -> None:
    """Messages of all sizes, soon after each other; a new connection now and then."""
    while True:
        reader, writer = await asyncio.open_connection(address, port)
        for _ in range(random.randint(100, 500)):
            await _exchange(reader, writer, random.randint(1, 20_000))
            await asyncio.sleep(random.uniform(0, PAUSED_S))
        writer.close()


async def typing(address: str, port: int) -> None:
    """A few bytes at a time, each answered, as in ssh; asyncio sets TCP_NODELAY."""
    reader, writer = await asyncio.open_connection(address, port)
    while True:
        await asyncio.sleep(random.uniform(0.02, 0.2))
        await _exchange(reader, writer, random.randint(20, 60))


async def listening(address: str, port: int) -> None:
    """Ask once, then take what comes."""
    reader, writer = await asyncio.open_connection(address, port)
    writer.write(b"GET /events\n")
    while await reader.readline():
        pass
    raise EOFError


async def half_closing(address: str, port: int) -> None:
    """Ask, say that nothing more will be asked, and take what comes."""
    reader, writer = await asyncio.open_connection(address, port)
    writer.write(b"GET /events\n")
    writer.write_eof()
    while await reader.readline():
        pass
    raise EOFError


async def recycling(address: str, port: int) -> None:
    """A pool whose connections are replaced all at once."""
    while True:
        reader, writer = await asyncio.open_connection(address, port)
        writer.write(b"hello\n")
        await reader.readline()
        writer.close()
        await asyncio.sleep(RECYCLED_S)


async def polling(address: str, port: int) -> None:
    """Ask again after each answer."""
    reader, writer = await asyncio.open_connection(address, port)
    while True:
        writer.write(b"GET /poll\n")
        if not await reader.readline():
            raise EOFError


async def returning(address: str, port: int) -> None:
    """Talk to a server that is restarted; wait before each new attempt."""
    while True:
        await asyncio.sleep(random.uniform(RETRY_S, 2 * RETRY_S))
        try:
            reader, writer = await asyncio.open_connection(address, port)
        except ConnectionRefusedError:
            continue
        try:
            while True:
                await _exchange(reader, writer, 500)
                await asyncio.sleep(0.02)
        except (ConnectionError, EOFError):
            writer.close()


async def bursting(address: str, port: int) -> None:
    """Connect in a crowd, again and again."""

    async def visit() -> None:
        reader, writer = await asyncio.open_connection(address, port)
        await reader.readline()
        writer.close()

    while True:
        await asyncio.gather(*(visit() for _ in range(BURST)))
        await asyncio.sleep(BURST_EVERY_S)


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, size: int) -> None:
    writer.write(bytes(size))
    await writer.drain()
    await reader.readexactly(size)


def slow(address: str, port: int) -> None:
    """Reads with long pauses, but never stops."""
    with socket.create_connection((address, port)) as connection:
        while True:
            left = READ
            while left:
                left -= len(connection.recv(left))
            time.sleep(PAUSE_S)


async def crowd(client: Client, count: int, address: str, port: int) -> None:
    await asyncio.gather(*(client(address, port) for _ in range(count)))


CROWDS: dict[str, tuple[Client, int]] = {
    "requests": (requests, 1),
    "talkative": (talkative, 30),
    "typing": (typing, 20),
    "listening": (listening, 100),
    "half-closing": (half_closing, 25),
    "recycling": (recycling, 40),
    "polling": (polling, 100),
    "returning": (returning, 20),
    "bursting": (bursting, 1),
}


def main(kind: str, address: str, port: str) -> None:
    if kind == "slow":
        slow(address, int(port))
    else:
        client, count = CROWDS[kind]
        asyncio.run(crowd(client, count, address, int(port)))


if __name__ == "__main__":
    main(*sys.argv[1:])

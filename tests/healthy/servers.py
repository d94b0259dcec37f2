"""Servers of kinds that Debian has no small program for: python -m tests.healthy.servers KIND ...

KIND ADDRESS PORT. They run until they are killed.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable

Talk = Callable[[StreamReader, StreamWriter], Awaitable[None]]

EVENT_S = 5.0  # between two events of a stream on which little happens
POLL_S = 4.0  # how long a poll is held until something is answered
UP_S, DOWN_S = 4.0, 0.3  # of a server that is restarted
SWEEP_S = 3.0  # how long a closed connection may go unnoticed
BUSY_S = 0.25  # how long the drowsy server does not accept
BACKLOG = 128


async def echo(reader: StreamReader, writer: StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


async def events(reader: StreamReader, writer: StreamWriter) -> None:
    """A stream of server-sent events."""
    await reader.readline()
    while True:
        writer.write(b"data: nothing new\n\n")
        await writer.drain()
        await asyncio.sleep(EVENT_S)


async def swept(reader: StreamReader, writer: StreamWriter) -> None:
    """Answers once, and looks only now and then whether the client has gone."""
    writer.write(await reader.readline())
    await asyncio.sleep(SWEEP_S)


async def polls(reader: StreamReader, writer: StreamWriter) -> None:
    while await reader.readline():
        await asyncio.sleep(POLL_S)
        writer.write(b"nothing new\n")
        await writer.drain()


async def feed(reader: StreamReader, writer: StreamWriter) -> None:
    """More than any reader can take."""
    while True:
        writer.write(bytes(65536))
        await writer.drain()


async def serve(talk: Talk, address: str, port: int) -> None:
    async def until_gone(reader: StreamReader, writer: StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(until_gone, address, port, backlog=BACKLOG) as server:
        await server.serve_forever()


def drowsy(address: str, port: int) -> None:
    """Comes late, and then answers everybody who waits."""
    with socket.create_server((address, port), backlog=BACKLOG) as listener:
        while True:
            connections = [listener.accept()[0]]
            time.sleep(BUSY_S)
            listener.settimeout(0)
            try:
                while True:
                    connections.append(listener.accept()[0])
            except BlockingIOError:
                listener.settimeout(None)
            for connection in connections:
                connection.sendall(b"at last\n")
                connection.close()


async def restarted(address: str, port: int) -> None:
    """Echoes, and is stopped and started again and again: listener and connections close."""
    while True:
        writers: list[StreamWriter] = []

        async def talk(
            reader: StreamReader, writer: StreamWriter, open_: list[StreamWriter] = writers
        ) -> None:
            open_.append(writer)
            await echo(reader, writer)
            writer.close()

        server = await asyncio.start_server(talk, address, port, backlog=BACKLOG)
        await asyncio.sleep(UP_S)
        server.close()
        for writer in writers:
            writer.close()
        await asyncio.sleep(DOWN_S)


def main(kind: str, address: str, port: str) -> None:
    if kind == "drowsy":
        drowsy(address, int(port))
    elif kind == "restarted":
        asyncio.run(restarted(address, int(port)))
    else:
        talks = {"echo": echo, "events": events, "polls": polls, "feed": feed, "swept": swept}
        asyncio.run(serve(talks[kind], address, int(port)))


if __name__ == "__main__":
    main(*sys.argv[1:])

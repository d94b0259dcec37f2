"""Clients of redis: redis_clients.py ADDRESS PORT POOL NEW DEADLINE_S [COMMAND]

POOL connections that ask again and again without a deadline, NEW ones that come anew with each
request and give up after the deadline; a connection sends COMMAND after a second.
"""

import asyncio
import contextlib
import sys

PING = b"PING\r\n"


async def old(host: str, port: int) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    while True:
        writer.write(PING)
        if not await reader.readline():
            raise EOFError
        await asyncio.sleep(0.3)


async def new(host: str, port: int, deadline_s: float) -> None:
    while True:
        await asyncio.sleep(1.2)
        writer = None
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(deadline_s):
                reader, writer = await asyncio.open_connection(host, port)
                writer.write(PING)
                await reader.readline()
        if writer:
            writer.close()


async def command(host: str, port: int, words: str) -> None:
    await asyncio.sleep(1)
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(words.encode() + b"\r\n")
    await reader.readline()
    await asyncio.sleep(600)


async def main(
    host: str, port: str, pool: str, others: str, deadline_s: str, words: str = "PING"
) -> None:
    to = host, int(port)
    await asyncio.gather(
        *(old(*to) for _ in range(int(pool))),
        *(new(*to, float(deadline_s)) for _ in range(int(others))),
        command(*to, words),
    )


asyncio.run(main(*sys.argv[1:]))

"""Clients that send a burst five times a second: feeding.py ADDRESS PORT CLIENTS BYTES"""

import asyncio
import sys

PAUSE_S = 0.2


async def feed(host: str, port: int, burst: bytes) -> None:
    _, writer = await asyncio.open_connection(host, port)
    while True:
        writer.write(burst)
        await writer.drain()
        await asyncio.sleep(PAUSE_S)


async def main(host: str, port: str, clients: str, octets: str) -> None:
    feeds = (feed(host, int(port), bytes(int(octets))) for _ in range(int(clients)))
    await asyncio.gather(*feeds)


asyncio.run(main(*sys.argv[1:]))

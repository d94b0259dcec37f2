"""A pool of connections in use: pool.py ADDRESS PORT COUNT EVERY_S [SOURCES]

Each one asks with a line and waits for the line that answers, without a deadline. SOURCES is the
first of the addresses that they come from, one each.
"""

import asyncio
import ipaddress
import sys


async def ask(host: str, port: int, every_s: float, source: str | None) -> None:
    local = (source, 0) if source else None
    reader, writer = await asyncio.open_connection(host, port, local_addr=local)
    while True:
        writer.write(b"PING\r\n")
        if not await reader.readline():
            raise EOFError
        await asyncio.sleep(every_s)


async def main(host: str, port: str, count: str, every_s: str, sources: str = "") -> None:
    first = ipaddress.ip_address(sources) if sources else None
    asks = [
        ask(host, int(port), float(every_s), str(first + number) if first else None)
        for number in range(int(count))
    ]
    await asyncio.gather(*asks)


asyncio.run(main(*sys.argv[1:]))

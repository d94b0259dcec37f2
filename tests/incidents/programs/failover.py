"""A pool whose database goes away: failover.py ADDRESS PORT POOL NEW

POOL connections ask without a deadline. Those in need of another one dial it, NEW at a time, and
again when that has failed.
"""

import asyncio
import sys

host, port, pool, new = sys.argv[1], *map(int, sys.argv[2:5])


async def old() -> None:
    reader, writer = await asyncio.open_connection(host, port)
    while True:
        writer.write(b"select 1\n")
        if not await reader.readline():
            raise EOFError
        await asyncio.sleep(0.5)


async def another() -> None:
    while True:
        await asyncio.sleep(1)
        try:
            async with asyncio.timeout(30):
                reader, writer = await asyncio.open_connection(host, port)
            writer.write(b"select 1\n")
            await reader.readline()
            writer.close()
        except OSError:
            pass


async def main() -> None:
    await asyncio.gather(*(old() for _ in range(pool)), *(another() for _ in range(new)))


asyncio.run(main())

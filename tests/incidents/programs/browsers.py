"""Clients with a connection each: browsers.py ADDRESS PORT PER_S PATIENCE_S [PATH]

They ask over HTTP, and give up after that time.
"""

import asyncio
import itertools
import sys


async def visit(host: str, port: int, patience_s: float, path: str) -> None:
    writer = None
    try:
        async with asyncio.timeout(patience_s):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(f"GET {path} HTTP/1.0\r\nHost: shop\r\n\r\n".encode())
            await reader.read()
    except (OSError, TimeoutError):
        pass
    finally:
        if writer:
            writer.close()


async def main(host: str, port: str, per_s: str, patience_s: str, path: str = "/") -> None:
    visits = set()
    for _ in itertools.count():
        task = asyncio.create_task(visit(host, int(port), float(patience_s), path))
        visits.add(task)
        task.add_done_callback(visits.discard)
        await asyncio.sleep(1 / float(per_s))


asyncio.run(main(*sys.argv[1:]))

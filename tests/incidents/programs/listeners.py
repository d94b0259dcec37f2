"""Clients that wait for a greeting and leave, or are left: listeners.py ADDRESS PORT PER_S"""

import asyncio
import contextlib
import itertools
import sys


async def listen(host: str, port: int) -> None:
    with contextlib.suppress(OSError):
        reader, writer = await asyncio.open_connection(host, port)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                await reader.read()
        writer.close()


async def main(host: str, port: str, per_s: str) -> None:
    visits = set()
    for _ in itertools.count():
        task = asyncio.create_task(listen(host, int(port)))
        visits.add(task)
        task.add_done_callback(visits.discard)
        await asyncio.sleep(1 / float(per_s))


asyncio.run(main(*sys.argv[1:]))

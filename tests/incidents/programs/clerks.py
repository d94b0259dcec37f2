"""Clients of reports.py: clerks.py ADDRESS PORT COUNT EVERY_S

So many ask for something large and read it, or wait for it; others come one after the other, ask
for something small, and close.
"""

import asyncio
import contextlib
import sys


async def ask(host: str, port: int, what: bytes) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(b"login\n")
    await reader.readline()
    writer.write(what)
    await (reader.readexactly(200_000) if what == b"large\n" else reader.readline())
    writer.close()


async def main(host: str, port: str, count: str, every_s: str) -> None:
    large = [asyncio.create_task(ask(host, int(port), b"large\n")) for _ in range(int(count))]
    while large:
        with contextlib.suppress(OSError, TimeoutError):
            await asyncio.wait_for(ask(host, int(port), b"small\n"), 5)
        await asyncio.sleep(float(every_s))


asyncio.run(main(*sys.argv[1:]))

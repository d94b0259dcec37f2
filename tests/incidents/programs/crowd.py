"""Crowds that come at once: crowd.py ADDRESS PORT COUNT EVERY_S [TIMEOUT_S]

Each client asks with a line, waits for the answer and hangs up; sooner where it has a timeout.
"""

import asyncio
import sys


async def visit(host: str, port: int) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(b"hello\n")
    await reader.readline()
    writer.close()


async def main(host: str, port: str, count: str, every_s: str, timeout_s: str = "3600") -> None:
    while True:
        visits = (
            asyncio.wait_for(visit(host, int(port)), float(timeout_s)) for _ in range(int(count))
        )
        await asyncio.gather(*visits, return_exceptions=True)
        await asyncio.sleep(float(every_s))


asyncio.run(main(*sys.argv[1:]))

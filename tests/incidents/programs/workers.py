"""Workers that wait for jobs from redis: workers.py ADDRESS PORT COUNT EVERY_S [BATCH]

COUNT of them, and a job each EVERY_S seconds, or a batch of jobs.
"""

import asyncio
import sys


async def work(host: str, port: int) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    while True:
        writer.write(b"BLPOP jobs 0\r\n")
        if not await reader.read(1024):
            raise EOFError


async def push(host: str, port: int, every_s: float, batch: int) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    while True:
        await asyncio.sleep(every_s)
        writer.write(b"LPUSH jobs" + b" x" * batch + b"\r\n")
        await reader.readline()


async def main(host: str, port: str, count: str, every_s: str, batch: str = "1") -> None:
    workers = [work(host, int(port)) for _ in range(int(count))]
    await asyncio.gather(push(host, int(port), float(every_s), int(batch)), *workers)


asyncio.run(main(*sys.argv[1:]))

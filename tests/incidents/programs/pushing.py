"""Pushes bytes to everybody: pushing.py ADDRESS PORT BYTES_PER_S"""

import asyncio
import sys
from contextlib import suppress

STEPS = 10
writers: set[asyncio.StreamWriter] = set()


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writers.add(writer)
    with suppress(OSError):
        await reader.read()
    writers.discard(writer)
    writer.close()


async def main() -> None:
    await asyncio.start_server(serve, sys.argv[1], int(sys.argv[2]))
    while True:
        await asyncio.sleep(1 / STEPS)
        for writer in writers:
            writer.write(bytes(int(sys.argv[3]) // STEPS))


asyncio.run(main())

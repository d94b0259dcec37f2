"""Pushes a line to everybody, each second: ticker.py ADDRESS PORT"""

import asyncio
import sys
from contextlib import suppress

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
        await asyncio.sleep(1)
        for writer in writers:
            writer.write(b"data: tick\n\n")


asyncio.run(main())

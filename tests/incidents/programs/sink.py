"""Reads whatever comes, and answers nothing: sink.py ADDRESS PORT"""

import asyncio
import sys


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while await reader.read(1000):
            pass
    except ConnectionError:
        pass
    writer.close()


async def main() -> None:
    async with await asyncio.start_server(serve, sys.argv[1], int(sys.argv[2])) as server:
        await server.serve_forever()


asyncio.run(main())

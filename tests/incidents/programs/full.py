"""A server of lines that takes no more clients than so many: full.py ADDRESS PORT MOST

Others are told so, and closed.
"""

import asyncio
import sys

clients: set[asyncio.StreamWriter] = set()


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    if len(clients) >= int(sys.argv[3]):
        writer.write(b"ERROR Too many open connections\r\n")
    else:
        clients.add(writer)
        while await reader.readline():
            writer.write(b"+OK\r\n")
        clients.discard(writer)
    writer.close()


async def main() -> None:
    async with await asyncio.start_server(serve, sys.argv[1], int(sys.argv[2])) as server:
        await server.serve_forever()


asyncio.run(main())

"""A server that hangs up on whoever is idle: impatient.py ADDRESS PORT IDLE_S"""

import asyncio
import sys


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            async with asyncio.timeout(float(sys.argv[3])):
                if not await reader.readline():
                    break
            writer.write(b"+OK\r\n")
            await writer.drain()
    except (TimeoutError, ConnectionError):
        pass
    writer.close()


async def main() -> None:
    async with await asyncio.start_server(serve, sys.argv[1], int(sys.argv[2])) as server:
        await server.serve_forever()


asyncio.run(main())

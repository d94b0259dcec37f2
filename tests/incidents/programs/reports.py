"""A database that answers small and large: reports.py ADDRESS PORT"""

import asyncio
import sys

ANSWERS = {b"login\n": b"welcome\n", b"small\n": b"1\n", b"large\n": bytes(200_000)}


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while asked := await reader.readline():
            writer.write(ANSWERS[asked])
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


async def main(host: str, port: str) -> None:
    async with await asyncio.start_server(serve, host, int(port)) as server:
        await server.serve_forever()


asyncio.run(main(*sys.argv[1:]))

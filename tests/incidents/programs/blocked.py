"""A server whose event loop is blocked now and then: blocked.py ADDRESS PORT EVERY_S FOR_S

It answers lines at once, and nobody while something takes its one thread.
"""

import asyncio
import sys
import time


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.readline():
        writer.write(b"+OK\r\n")
    writer.close()


async def main(host: str, port: str, every_s: str, for_s: str) -> None:
    await asyncio.start_server(serve, host, int(port))
    while True:
        await asyncio.sleep(float(every_s))
        time.sleep(float(for_s))


asyncio.run(main(*sys.argv[1:]))

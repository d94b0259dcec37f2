"""A server of lines: orders.py ADDRESS PORT [BACKLOG [PAUSE_S]]

Each line is answered by one, after a pause if one is given.
"""

import asyncio
import sys


async def main(host: str, port: str, backlog: str = "128", pause_s: str = "0") -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readline():
                await asyncio.sleep(float(pause_s))
                writer.write(b"+OK\r\n")
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(serve, host, int(port), backlog=int(backlog)) as server:
        await server.serve_forever()


asyncio.run(main(*sys.argv[1:]))

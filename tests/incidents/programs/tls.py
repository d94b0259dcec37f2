"""TLS, both ends: tls.py serve ADDRESS PORT KEY CERTIFICATE; tls.py idle|talk ADDRESS PORT COUNT

Idle clients shake hands and then wait, the session tickets unread.
"""

import asyncio
import socket
import ssl
import sys
import time


async def serve(host: str, port: str, key: str, certificate: str) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line)
            await writer.drain()

    async with await asyncio.start_server(answer, host, int(port), ssl=context) as server:
        await server.serve_forever()


def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


async def talk(host: str, port: str, count: str) -> None:
    async def client() -> None:
        reader, writer = await asyncio.open_connection(host, int(port), ssl=trusting())
        while True:
            writer.write(b"hello\n")
            await reader.readline()
            await asyncio.sleep(0.3)

    await asyncio.gather(*(client() for _ in range(int(count))))


def idle(host: str, port: str, count: str) -> None:
    context = trusting()
    kept = [
        context.wrap_socket(socket.create_connection((host, int(port)))) for _ in range(int(count))
    ]
    time.sleep(600)
    del kept


if sys.argv[1] == "serve":
    asyncio.run(serve(*sys.argv[2:]))
elif sys.argv[1] == "talk":
    asyncio.run(talk(*sys.argv[2:]))
else:
    idle(*sys.argv[2:])

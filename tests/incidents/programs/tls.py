"""TLS, both ends: tls.py serve ADDRESS PORT KEY CERTIFICATE [PAUSE_S]

tls.py idle|talk|leave ADDRESS PORT COUNT

Idle clients shake hands and then wait, the session tickets unread; others ask, and leave after two
seconds without an answer: half of them ask within the tick in which the handshake ends.
"""

import asyncio
import socket
import ssl
import sys
import threading
import time
from contextlib import suppress


async def serve(host: str, port: str, key: str, certificate: str, pause_s: str = "0") -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            await asyncio.sleep(float(pause_s))
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


def leave(host: str, port: str, count: str) -> None:
    context = trusting()

    def client(thinks_s: float) -> None:
        while True:
            with (
                suppress(OSError),
                socket.create_connection((host, int(port)), 5) as made,
                context.wrap_socket(made) as client,
            ):
                client.settimeout(2)
                time.sleep(thinks_s)
                client.sendall(b"hello\n")
                client.recv(100)
            time.sleep(0.2)

    for number in range(int(count)):
        threading.Thread(target=client, args=(number % 2 * 0.02,), daemon=True).start()
    time.sleep(600)


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
    {"idle": idle, "leave": leave}[sys.argv[1]](*sys.argv[2:])

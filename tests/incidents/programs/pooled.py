"""A server with a pool of threads: pooled.py ADDRESS PORT THREADS SIZE

Each serves one connection at a time, with an answer of so many bytes; the rest wait in the program.
"""

import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress


def serve(client: socket.socket, size: int) -> None:
    with suppress(OSError), client:
        client.recv(4096)
        head = f"HTTP/1.0 200 OK\r\nContent-Length: {size}\r\n\r\n"
        client.sendall(head.encode() + bytes(size))


def main(host: str, port: str, threads: str, size: str) -> None:
    listener = socket.create_server((host, int(port)), backlog=128)
    with ThreadPoolExecutor(int(threads)) as pool:
        while True:
            pool.submit(serve, listener.accept()[0], int(size))


main(*sys.argv[1:])

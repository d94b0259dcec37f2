"""A prefork server that reads requests to their end: whole.py ADDRESS PORT WORKERS PATIENCE_S

Each worker serves one connection, and waits that long for each part of its request.
"""

import os
import socket
import sys


def work(listener: socket.socket, patience_s: float) -> None:
    while True:
        client, request = listener.accept()[0], b""
        client.settimeout(patience_s)
        with client:
            try:
                while not request.endswith(b"\r\n\r\n"):
                    if not (part := client.recv(4096)):
                        break
                    request += part
                client.sendall(b"HTTP/1.0 200 OK\r\n\r\nok")
            except OSError:
                pass


def main(host: str, port: str, workers: str, patience_s: str) -> None:
    listener = socket.create_server((host, int(port)), backlog=512)
    for _ in range(int(workers)):
        if os.fork() == 0:
            work(listener, float(patience_s))
    os.wait()


main(*sys.argv[1:])

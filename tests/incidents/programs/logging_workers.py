"""A prefork server with a log over TCP: logging_workers.py ADDRESS PORT WORKERS LOG PORT

Each worker takes one request at a time and logs it, in a blocking send(), before it answers.
"""

import os
import socket
import sys

LINE = b"x" * 60_000 + b"\n"


def work(listener: socket.socket, log: tuple[str, int]) -> None:
    with socket.create_connection(log) as logged:
        while True:
            client = listener.accept()[0]
            with client:
                client.recv(4096)
                logged.sendall(LINE)
                client.sendall(b"HTTP/1.0 200 OK\r\n\r\nok")


def main(host: str, port: str, workers: str, to: str, to_port: str) -> None:
    listener = socket.create_server((host, int(port)), backlog=2048)
    for _ in range(int(workers)):
        if os.fork() == 0:
            work(listener, (to, int(to_port)))
    os.wait()


main(*sys.argv[1:])

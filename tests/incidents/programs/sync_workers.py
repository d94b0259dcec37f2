"""A prefork server: sync_workers.py ADDRESS PORT WORKERS BACKEND PORT

Each worker takes one request at a time and asks the back end for it, without a deadline.
"""

import os
import socket
import sys


def work(listener: socket.socket, backend: tuple[str, int]) -> None:
    while True:
        client = listener.accept()[0]
        with client:
            client.recv(4096)
            with socket.create_connection(backend) as asked:
                asked.sendall(b"select\n")
                answer = asked.recv(100)
            client.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + answer)


def main(host: str, port: str, workers: str, to: str, to_port: str) -> None:
    listener = socket.create_server((host, int(port)), backlog=2048)
    for _ in range(int(workers)):
        if os.fork() == 0:
            work(listener, (to, int(to_port)))
    os.wait()


main(*sys.argv[1:])

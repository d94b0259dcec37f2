"""A server that computes for each request: busy.py ADDRESS PORT BACKLOG"""

import socket
import sys


def main(host: str, port: str, backlog: str) -> None:
    with socket.create_server((host, int(port)), backlog=int(backlog)) as listener:
        while True:
            client = listener.accept()[0]
            with client:
                client.recv(4096)
                sum(n * n for n in range(50_000))
                client.sendall(b"HTTP/1.0 200 OK\r\n\r\nok")


main(*sys.argv[1:])

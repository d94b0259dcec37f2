"""A prefork server that keeps connections: prefork.py ADDRESS PORT WORKERS KEEP_S

Each worker serves one connection at a time, line by line, until none comes for that long.
"""

import os
import select
import socket
import sys


def work(listener: socket.socket, keep_s: float) -> None:
    while True:
        client = listener.accept()[0]
        poll = select.poll()
        poll.register(client, select.POLLIN)
        with client:
            while poll.poll(keep_s * 1000) and client.recv(4096):
                client.sendall(b"+OK\r\n")


def main(host: str, port: str, workers: str, keep_s: str) -> None:
    listener = socket.create_server((host, int(port)), backlog=128)
    for _ in range(int(workers)):
        if os.fork() == 0:
            work(listener, float(keep_s))
    os.wait()


main(*sys.argv[1:])

"""A server that logs a lot: chatty.py ADDRESS PORT [READ]

Its stdout is a pipe, which is read only if so asked.
"""

import os
import socket
import sys


def drain(descriptor: int) -> None:
    while os.read(descriptor, 65536):
        pass


def main(host: str, port: str, read: str = "") -> None:
    end, stdout = os.pipe()
    os.dup2(stdout, 1)
    if read and os.fork() == 0:
        os.close(1)
        os.close(stdout)
        drain(end)
    with socket.create_server((host, int(port)), backlog=64) as listener:
        while True:
            with listener.accept()[0] as client:
                client.recv(4096)
                print("x" * 8000, flush=True)
                client.sendall(b"HTTP/1.0 200 OK\r\n\r\nok")


main(*sys.argv[1:])

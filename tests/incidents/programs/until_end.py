"""Clients that read to the end, again and again: until_end.py ADDRESS PORT COUNT"""

import socket
import sys
import threading
import time


def ask(host: str, port: int) -> None:
    while True:
        with socket.create_connection((host, port)) as made:
            made.sendall(b"GET / HTTP/1.0\r\n\r\n")
            while made.recv(1000):
                pass
        time.sleep(0.3)


for _ in range(int(sys.argv[3])):
    threading.Thread(target=ask, args=(sys.argv[1], int(sys.argv[2])), daemon=True).start()
time.sleep(600)

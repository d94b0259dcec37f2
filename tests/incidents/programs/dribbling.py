"""Clients that send a header at a time, and no end: dribbling.py ADDRESS PORT COUNT EVERY_S"""

import contextlib
import socket
import sys
import time

host, port, count, every_s = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
clients = [socket.create_connection((host, port)) for _ in range(count)]
for client in clients:
    client.sendall(b"GET / HTTP/1.1\r\nHost: shop\r\n")
while True:
    time.sleep(every_s)
    for client in clients:
        with contextlib.suppress(OSError):
            client.sendall(b"X-a: b\r\n")

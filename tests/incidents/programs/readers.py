"""Clients that fetch a file over HTTP: readers.py ADDRESS PORT COUNT PATH BYTES_PER_S

Each has a small buffer. With 0 bytes a second they read a little, and then never again.
"""

import socket
import sys
import time
from contextlib import suppress

host, port, count, path, per_s = (*sys.argv[1:2], *map(str, sys.argv[2:6]))
BUFFER, FIRST, STEPS = 8192, 500, 20

kept = []
for _ in range(int(count)):
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
    made.connect((host, int(port)))
    made.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
    made.recv(FIRST)
    made.setblocking(False)
    kept.append(made)
while int(per_s):
    time.sleep(1 / STEPS)
    for made in kept:
        with suppress(BlockingIOError):
            made.recv(int(per_s) // STEPS)
time.sleep(600)

"""Clients that send without end: pouring.py ADDRESS PORT COUNT [SO_SNDBUF [BYTES_PER_S]]

Not by BBR, which keeps queues short by itself.
"""

import socket
import sys
import threading
import time

address = sys.argv[1]
port, count, buffer, per_s = map(int, [*sys.argv[2:], "0", "0"][:4])
PIECE = 65_536


def send() -> None:
    made = socket.socket()
    if buffer:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")
    made.connect((address, port))
    began, given = time.monotonic(), 0
    while True:
        made.sendall(bytes(PIECE))
        given += PIECE
        if per_s:
            time.sleep(max(0.0, began + given / per_s - time.monotonic()))


for _ in range(count):
    threading.Thread(target=send, daemon=True).start()
time.sleep(600)

"""A server that reads what comes: draining.py ADDRESS PORT [SO_RCVBUF [BYTES_PER_S]]"""

import socket
import sys
import threading
import time

address = sys.argv[1]
port, buffer, per_s = map(int, [*sys.argv[2:], "0", "0"][:3])
PIECE = 16_384


def read(made: socket.socket) -> None:
    began, taken = time.monotonic(), 0
    while data := made.recv(PIECE):
        taken += len(data)
        if per_s:
            time.sleep(max(0.0, began + taken / per_s - time.monotonic()))


listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
if buffer:
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
listener.bind((address, port))
listener.listen(64)
while True:
    threading.Thread(target=read, args=(listener.accept()[0],), daemon=True).start()

"""Forgets its sockets: leaky.py ADDRESS PORT COUNT PER_S [tidy]

It connects that many times, to whom refuses or resets, and keeps what has failed; a tidy one
closes it and goes on. Then it listens on 8080 as programs do that serve somebody.
"""

import socket
import sys
import time

host, port, count, per_s = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
kept: list[socket.socket] = []
listener = socket.create_server(("0.0.0.0", 8080))
while len(kept) < count:
    made = socket.socket()
    try:
        made.connect((host, port))
        made.sendall(b"hello\n")
        made.recv(100)
    except OSError:
        pass
    if "tidy" in sys.argv:
        made.close()
    else:
        kept.append(made)
    time.sleep(1 / per_s)
time.sleep(600)

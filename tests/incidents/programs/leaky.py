"""Forgets its sockets: leaky.py ADDRESS PORT COUNT PER_S [tidy] [deadline]

It connects that many times, to whom refuses or resets, and keeps what has failed; a tidy one
closes it and goes on. It listens on 8080 as programs do that serve somebody. With a deadline it
does not wait in connect() itself, as most programs do not.
"""

import socket
import sys
import time

host, port, count, per_s = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
kept: list[socket.socket] = []
listener = socket.create_server(("0.0.0.0", 8080))
while len(kept) < count:
    made = socket.socket()
    made.settimeout(10 if "deadline" in sys.argv else None)
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

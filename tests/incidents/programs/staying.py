"""Clients that come, ask once and stay: staying.py ADDRESS PORT PER_S"""

import socket
import sys
import time

kept: list[socket.socket] = []
while True:
    kept.append(socket.create_connection((sys.argv[1], int(sys.argv[2]))))
    kept[-1].sendall(b"hello\n")
    kept[-1].recv(100)
    time.sleep(1 / float(sys.argv[3]))

"""New clients, one after the other, who stay: steady.py ADDRESS PORT COUNT PER_S"""

import socket
import sys
import time

host, port, count, per_s = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
kept = []
for _ in range(count):
    kept.append(socket.create_connection((host, port)))
    kept[-1].sendall(b"hello\n")
    time.sleep(1 / per_s)
time.sleep(600)

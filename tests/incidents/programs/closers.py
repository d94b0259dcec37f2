"""Clients that are answered and hang up at once: closers.py ADDRESS PORT COUNT"""

import socket
import sys
import time

kept = []
for _ in range(int(sys.argv[3])):
    made = socket.create_connection((sys.argv[1], int(sys.argv[2])))
    made.sendall(b"hello\n")
    made.recv(100)
    kept.append(made)
for made in kept:
    made.close()
time.sleep(600)

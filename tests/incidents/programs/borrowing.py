"""A pool of connections: borrowing.py ADDRESS PORT COUNT LEFT AFTER_S

It has answers on all, keeps that many after a while, and looks at the others no more.
"""

import socket
import sys
import time

host, port, count, left, after_s = sys.argv[1], *map(int, sys.argv[2:6])
kept = []
for _ in range(count):
    kept.append(socket.create_connection((host, port)))
    kept[-1].sendall(b"hello\n")
    kept[-1].recv(100)
time.sleep(after_s)
while len(kept) > left:
    kept.pop().close()
while True:
    time.sleep(5)
    for made in kept:
        made.sendall(b"hello\n")
        made.recv(100)

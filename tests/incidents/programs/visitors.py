"""Clients that ask once, one after the other: visitors.py ADDRESS PORT PER_S"""

import socket
import sys
import time

while True:
    with socket.create_connection((sys.argv[1], int(sys.argv[2]))) as made:
        made.sendall(b"hello\n")
        made.recv(100)
    time.sleep(1 / float(sys.argv[3]))

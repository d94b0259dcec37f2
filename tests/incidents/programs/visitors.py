"""Clients that ask once, one after the other: visitors.py ADDRESS PORT PER_S"""

import socket
import sys
import time
from contextlib import suppress

while True:
    with (
        suppress(ConnectionError),
        socket.create_connection((sys.argv[1], int(sys.argv[2]))) as made,
    ):
        made.sendall(b"hello\n")
        made.recv(100)
    time.sleep(1 / float(sys.argv[3]))

"""Dials one address after the other, as happy eyeballs do: happy_eyeballs.py PORT PER_S"""

import socket
import sys
import time

while True:
    for family, address in ((socket.AF_INET6, "::1"), (socket.AF_INET, "127.0.0.1")):
        with socket.socket(family) as made:
            try:
                made.connect((address, int(sys.argv[1])))
                made.sendall(b"hello\n")
                made.recv(100)
                break
            except OSError:
                pass
    time.sleep(1 / float(sys.argv[2]))

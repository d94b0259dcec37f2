"""Connects and says nothing: preconnect.py ADDRESS PORT COUNT PER_S"""

import socket
import sys
import time

kept = []
for _ in range(int(sys.argv[3])):
    kept.append(socket.create_connection((sys.argv[1], int(sys.argv[2]))))
    time.sleep(1 / float(sys.argv[4]))
time.sleep(600)

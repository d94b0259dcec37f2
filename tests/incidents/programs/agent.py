"""Retries a service on this host until it connects: agent.py PORT PER_S"""

import socket
import sys
import time

while True:
    made = socket.socket()
    try:
        made.connect(("127.0.0.1", int(sys.argv[1])))
        break
    except OSError:
        made.close()
        time.sleep(1 / float(sys.argv[2]))
time.sleep(600)

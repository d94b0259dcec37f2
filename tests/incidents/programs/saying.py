"""Clients that say one thing and stay: saying.py ADDRESS PORT COUNT WORDS"""

import socket
import sys
import threading

kept = []
for _ in range(int(sys.argv[3])):
    kept.append(socket.create_connection((sys.argv[1], int(sys.argv[2]))))
    kept[-1].sendall(sys.argv[4].encode())
threading.Event().wait()

"""Looks for clients ten times a second, and takes all there are: drowsy.py ADDRESS PORT BACKLOG"""

import socket
import sys
import time

host, port, backlog = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with socket.create_server((host, port), backlog=backlog) as listener:
    listener.settimeout(0)
    while True:
        time.sleep(0.1)
        try:
            while True:
                client = listener.accept()[0]
                client.settimeout(1)
                client.recv(100)
                client.sendall(b"at last\n")
                client.close()
        except BlockingIOError:
            pass

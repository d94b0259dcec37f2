"""Connections that are used after a pause each time: reusing.py ADDRESS PORT CALLERS PAUSE_S"""

import socket
import sys
import threading
import time

host, port, callers, pause_s = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])


def call() -> None:
    while True:
        try:
            with socket.create_connection((host, port), 5) as made:
                while True:
                    time.sleep(pause_s)
                    made.sendall(b"hello\n")
                    made.recv(100)
        except OSError:
            pass


for _ in range(callers):
    threading.Thread(target=call, daemon=True).start()
threading.Event().wait()

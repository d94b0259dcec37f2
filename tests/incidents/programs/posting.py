"""Clients that post on kept connections: posting.py ADDRESS PORT COUNT LEAST_S MOST_S

Each pauses for between so long and so long; what fails is lost, and the next goes by a new one.
"""

import random
import socket
import sys
import threading
import time

host, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
least_s, most_s = map(float, sys.argv[4:6])


def work() -> None:
    made: socket.socket | None = None
    while True:
        try:
            made = made or socket.create_connection((host, port))
            made.sendall(b"post\n")
            if not made.recv(100):
                raise ConnectionResetError
        except ConnectionError:
            if made:
                made.close()
            made = None
        time.sleep(random.uniform(least_s, most_s))


for _ in range(count):
    threading.Thread(target=work, daemon=True).start()
    time.sleep(0.03)
time.sleep(600)

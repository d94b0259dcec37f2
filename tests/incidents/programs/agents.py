"""Clients with keep-alive agents: agents.py ADDRESS PORT COUNT PAUSE_S

Each asks, waits for the answer, and asks again on the same connection after the pause; if that
fails it dials anew.
"""

import socket
import sys
import threading
import time

host, port, count, pause_s = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])


def work(number: int) -> None:
    time.sleep(pause_s * number / count)
    made = socket.create_connection((host, port))
    while True:
        try:
            made.sendall(b"hello\n")
            if not made.recv(100):
                raise ConnectionResetError
        except ConnectionError:
            made.close()
            made = socket.create_connection((host, port))
            continue
        time.sleep(pause_s)


for number in range(count):
    threading.Thread(target=work, args=(number,), daemon=True).start()
time.sleep(600)

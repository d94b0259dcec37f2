"""Clients that wait for a greeting, and say nothing: listening.py ADDRESS PORT COUNT WAIT_S"""

import socket
import sys
import threading
import time

host, port, count, wait_s = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])


def listen(number: int) -> None:
    time.sleep(number * wait_s / count)
    while True:
        try:
            with socket.create_connection((host, port), wait_s) as made:
                made.recv(100)
        except OSError:
            pass
        time.sleep(0.3)


for number in range(count):
    threading.Thread(target=listen, args=(number,), daemon=True).start()
threading.Event().wait()

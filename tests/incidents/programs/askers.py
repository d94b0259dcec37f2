"""Clients that keep their connections: askers.py ADDRESS PORT COUNT PAUSE_S

Each asks over HTTP and waits for the answer, without a deadline, and asks again after the pause.
"""

import http.client
import sys
import threading
import time


def ask(host: str, port: int, pause_s: float) -> None:
    client = http.client.HTTPConnection(host, port)
    while True:
        client.request("GET", "/")
        client.getresponse().read()
        time.sleep(pause_s)


host, port, count, pause_s = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
for _ in range(count):
    threading.Thread(target=ask, args=(host, port, pause_s), daemon=True).start()
time.sleep(600)

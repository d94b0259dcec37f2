"""Clients with keep-alive that ask a lot: shop.py ADDRESS PORT COUNT PER_S"""

import http.client
import sys
import threading
import time

host, port, count, per_s = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])


def work() -> None:
    client = http.client.HTTPConnection(host, port)
    while True:
        try:
            client.request("GET", "/")
            client.getresponse().read()
        except (OSError, http.client.HTTPException):
            client.close()
        time.sleep(1 / per_s)


for _ in range(count):
    threading.Thread(target=work, daemon=True).start()
time.sleep(600)

"""A client that gives up soon: dialer.py ADDRESS PORT CALLERS TIMEOUT_S [PAUSE_S]

PORT may be FIRST-LAST: one after the other is called. With TIMEOUT_S 0 connect() itself waits.
"""

import itertools
import socket
import sys
import threading
import time

begin, dash, end = sys.argv[2].partition("-")
ports = itertools.cycle(range(int(begin), int(end if dash else begin) + 1))
callers, timeout_s, *pause_s = map(float, sys.argv[3:])


def call() -> None:
    while True:
        try:
            with socket.create_connection((sys.argv[1], next(ports)), timeout_s or None) as made:
                made.sendall(b"hello\n")
                made.recv(100)
        except OSError:
            pass
        time.sleep(pause_s[0] if pause_s else 0.05)


for _ in range(int(callers)):
    threading.Thread(target=call, daemon=True).start()
threading.Event().wait()

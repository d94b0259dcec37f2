"""A client that gives up soon: dialer.py ADDRESS PORT CALLERS TIMEOUT_S [PAUSE_S]"""

import socket
import sys
import threading
import time

to, (callers, timeout_s, *pause_s) = (sys.argv[1], int(sys.argv[2])), map(float, sys.argv[3:])


def call() -> None:
    while True:
        try:
            with socket.create_connection(to, timeout_s) as made:
                made.sendall(b"hello\n")
                made.recv(100)
        except OSError:
            pass
        time.sleep(pause_s[0] if pause_s else 0.05)


for _ in range(int(callers)):
    threading.Thread(target=call, daemon=True).start()
threading.Event().wait()

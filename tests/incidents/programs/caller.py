"""A client with a connection for each question: caller.py ADDRESS PORT PER_S [http]"""

import socket
import sys
import time

QUESTION = b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n" if "http" in sys.argv else b"hello\n"

while True:
    try:
        with socket.create_connection((sys.argv[1], int(sys.argv[2]))) as made:
            made.sendall(QUESTION)
            made.recv(100)
    except OSError:
        pass
    time.sleep(1 / float(sys.argv[3]))

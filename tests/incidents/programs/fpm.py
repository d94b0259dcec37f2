"""Listens on a path with a short queue, and accepts nothing: fpm.py PATH [answers]"""

import socket
import sys
import time

ANSWER = b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"

with socket.socket(socket.AF_UNIX) as listener:
    listener.bind(sys.argv[1])
    listener.listen(1)
    while "answers" in sys.argv:
        with listener.accept()[0] as client:
            client.recv(4096)
            client.sendall(ANSWER)
    time.sleep(600)

"""A server that speaks first: greeting.py ADDRESS PORT [DEFER_S]

With DEFER_S its kernel keeps connections back until they bring data (TCP_DEFER_ACCEPT).
"""

import socket
import sys

listener = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=128)
if len(sys.argv) > 3:
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, int(sys.argv[3]))
while True:
    with listener.accept()[0] as made:
        made.sendall(b"220 mx ESMTP\r\n")

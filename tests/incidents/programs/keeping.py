"""A server that never closes: keeping.py ADDRESS PORT [KEEPALIVE_S]

It answers each line, reads to the end of file or to an error, and forgets the socket. With
keepalive it probes as often as Go does, or oftener.
"""

import socket
import sys
import threading

kept: list[socket.socket] = []


def serve(made: socket.socket) -> None:
    if len(sys.argv) > 3:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL):
            made.setsockopt(socket.IPPROTO_TCP, option, int(sys.argv[3]))
    try:
        while made.recv(100):
            made.sendall(b"+OK\r\n")
    except ConnectionError:
        pass


with socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=128) as listener:
    while True:
        kept.append(listener.accept()[0])
        threading.Thread(target=serve, args=(kept[-1],), daemon=True).start()

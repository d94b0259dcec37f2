"""A server that ends idle connections before it reads: sweeping.py ADDRESS PORT IDLE_S

Ten times a second it closes those that have been answered so long ago, then answers what has come.
"""

import contextlib
import selectors
import socket
import sys
import time

host, port, idle_s = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
poll = selectors.DefaultSelector()
used: dict[socket.socket, float] = {}
listener = socket.create_server((host, port), backlog=128)
listener.settimeout(0)
while True:
    time.sleep(0.1)
    now = time.monotonic()
    for client in [each for each, at in used.items() if now - at >= idle_s]:
        poll.unregister(client)
        client.close()
        del used[client]
    with contextlib.suppress(BlockingIOError):
        while True:
            client = listener.accept()[0]
            poll.register(client, selectors.EVENT_READ, client)
            used[client] = now
    for key, _ in poll.select(0) if used else ():
        client = key.data
        if client.recv(4096):
            client.sendall(b"+OK\r\n")
            used[client] = now
        else:
            poll.unregister(client)
            client.close()
            del used[client]

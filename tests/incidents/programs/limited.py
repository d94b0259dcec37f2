"""A server of lines that closes further clients without reading: limited.py ADDRESS PORT MOST

As node does beyond server.maxConnections.
"""

import socket
import sys
import threading
import time

taken = threading.Semaphore(int(sys.argv[3]))


def serve(client: socket.socket) -> None:
    with client:
        while client.recv(100):
            client.sendall(b"+OK\r\n")
    taken.release()


with socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=128) as listener:
    while True:
        client = listener.accept()[0]
        if taken.acquire(blocking=False):
            threading.Thread(target=serve, args=(client,), daemon=True).start()
        else:
            time.sleep(0.01)
            client.close()

"""Starts a job for each of the first clients: parent.py ADDRESS PORT JOBS [tidy]

The job inherits the client's connection, unless it is tidy. All are answered, and hung up on.
"""

import socket
import subprocess
import sys

host, port, jobs = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
listener = socket.create_server((host, port), backlog=100)
started: list[subprocess.Popen[bytes]] = []
while True:
    client, _ = listener.accept()
    client.recv(1000)
    client.set_inheritable("tidy" not in sys.argv)
    if len(started) < jobs:
        started.append(subprocess.Popen(["sleep", "60"], close_fds=False))
    client.sendall(b"HTTP/1.0 200 OK\r\n\r\nhello")
    client.close()

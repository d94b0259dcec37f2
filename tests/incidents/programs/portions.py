"""Clients that read in portions: portions.py ADDRESS PORT COUNT PATH BYTES PAUSE_S

Each fetches the path over HTTP and reads so many bytes, then all pause, which is printed: a
player, or one who hardly reads.
"""

import socket
import sys
import time

host, port, count, path, size, pause_s = sys.argv[1:]

kept = []
for _ in range(int(count)):
    kept.append(socket.create_connection((host, int(port))))
    kept[-1].sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
while True:
    for made in kept:
        left = int(size)
        while left > 0 and (got := made.recv(min(left, 65536))):
            left -= len(got)
    print("pause", flush=True)
    time.sleep(float(pause_s))

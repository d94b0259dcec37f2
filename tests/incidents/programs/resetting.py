"""Resets whoever has asked: resetting.py ADDRESS PORT"""

import socket
import struct
import sys

with socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=128) as listener:
    while True:
        taken = listener.accept()[0]
        taken.recv(100)
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        taken.close()

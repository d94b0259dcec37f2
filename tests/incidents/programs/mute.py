"""Accepts, and answers nothing: mute.py ADDRESS PORT"""

import socket
import sys

taken = []
with socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=128) as listener:
    while True:
        taken.append(listener.accept()[0])

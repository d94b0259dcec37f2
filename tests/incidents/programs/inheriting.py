"""What a server leaves behind: inheriting.py ADDRESS PORT

A program that is none has its socket (SO_REUSEPORT), and knows nothing of it.
"""

import os
import socket
import sys

listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
listener.bind((sys.argv[1], int(sys.argv[2])))
listener.listen(128)
listener.set_inheritable(True)
os.execvp("sleep", ["sleep", "600"])

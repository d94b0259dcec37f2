"""Listens on a path with a short queue, and accepts nothing: fpm.py PATH"""

import socket
import sys
import time

with socket.socket(socket.AF_UNIX) as listener:
    listener.bind(sys.argv[1])
    listener.listen(1)
    time.sleep(600)

"""A server that closes after its clients, when it is told to: late.py ADDRESS PORT COUNT

It answers each with a line, and waits for SIGUSR1 before it closes them all.
"""

import signal
import socket
import sys
import time

signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
taken: list[socket.socket] = []
with socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=256) as listener:
    while len(taken) < int(sys.argv[3]):
        taken.append(listener.accept()[0])
        taken[-1].recv(100)
        taken[-1].sendall(b"+OK\n")
    signal.sigwait([signal.SIGUSR1])
    for each in taken:
        each.recv(1)
        each.close()
    time.sleep(600)

"""A server whose disk stops answering: on_disk.py ADDRESS PORT GOOD

So many requests are answered over HTTP at once. The thread of the next one stays in state D, as on
a frozen file system: it waits for the program that it starts, whose input is a pipe that nobody
opens (CLONE_VFORK). The threads of all others wait for that one.
"""

import ctypes
import os
import shutil
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count

host, port, good = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
asked, disk = count(), threading.Lock()


def sleep_uninterruptibly() -> None:
    fifo = os.path.join(tempfile.mkdtemp(), "fifo")
    os.mkfifo(fifo)
    threading.Timer(1, shutil.rmtree, (os.path.dirname(fifo),)).start()  # it is open by then
    libc, actions = ctypes.CDLL(None), ctypes.create_string_buffer(1024)
    libc.posix_spawn_file_actions_init(actions)
    libc.posix_spawn_file_actions_addopen(actions, 0, fifo.encode(), os.O_RDONLY, 0)
    argv = (ctypes.c_char_p * 2)(b"/bin/true", None)
    libc.posix_spawn(ctypes.byref(ctypes.c_int()), b"/bin/true", actions, None, argv, None)


class Pages(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        with disk:
            if next(asked) >= good:
                sleep_uninterruptibly()
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: object) -> None:
        pass


Server((host, port), Pages).serve_forever()

"""A server of pages: pages.py ADDRESS PORT PAUSE_S

Each request is answered over HTTP after the pause, in a thread of its own; connections are kept.
"""

import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

host, port, pause_s = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])


class Pages(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        time.sleep(pause_s)
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: object) -> None:
        pass


Server((host, port), Pages).serve_forever()

"""HTTP for `tcptop metrics`: prometheus_client's application behind a server that asks no resolver
and keeps no thread for a client that says nothing."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, make_wsgi_app

from tcptop.commands.errors import CommandError
from tcptop.model.address import endpoint

SLOW_S = 3.0
THREADS = 256  # so many may ask at once, or say nothing


class Handler(WSGIRequestHandler):
    timeout = SLOW_S

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: each scrape would be a line."""


class MetricsServer(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def server_bind(self) -> None:
        """Without socket.getfqdn of HTTPServer, which may wait for a name server."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment] # typed for any family
        self.setup_environ()

    def process_request(self, request: Any, client_address: Any) -> None:
        if threading.active_count() > THREADS:
            self.shutdown_request(request)
        else:
            super().process_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone away is no error."""

    def start(self, registry: CollectorRegistry) -> str:
        """Answer from now on. Gives the address."""
        self.set_app(make_wsgi_app(registry))
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return endpoint(self.server_name, self.server_port)


@contextmanager
def bound(host: str, port: int) -> Iterator[MetricsServer]:
    """It listens, and who asks before it is started waits. Raises CommandError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    kind = type("ServerOfFamily", (MetricsServer,), {"address_family": family})
    try:
        server: MetricsServer = kind((host, port), Handler)
    except OSError as error:
        raise CommandError(f"--listen {endpoint(host, port)}: {error.strerror}") from error
    try:
        yield server
    finally:
        server.server_close()

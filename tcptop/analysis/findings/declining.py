"""Clients of PostgreSQL that insist on TLS, and a server that declines it.

A client asks first (SSLRequest: 8 bytes), and the answer is one byte, S or N (protocol-flow in the
manual). Who may do without goes on on the same connection; with sslmode=require or more it closes.
Nothing of that is in the log of the server.
"""

from __future__ import annotations

import numpy as np

from tcptop.model.closed import Closed
from tcptop.model.table import Bools

PORTS = (5432, 6432)  # PostgreSQL, PgBouncer
ASKED, ANSWERED = 8, 1
FIN = 1  # which bytes_received counts too, where it came


def declined(closed: Closed, ours: Bools) -> Bools:
    """Of those that we closed first."""
    came = closed.known("bytes_received")
    one = (came >= ANSWERED) & (came <= ANSWERED + FIN) & (closed.known("data_segs_in") == 1)
    asked = (closed.known("bytes_sent") == ASKED) & (closed.known("data_segs_out") == 1)
    found: Bools = ours & np.isin(closed.remote_port, PORTS) & one & asked
    return found

"""How much is known of the process behind a socket."""

from __future__ import annotations

# Codes of the `owner` column, as the snapshot spells them.
OWNER_KINDS = ("process", "accept-queue", "remembered", "unknown")
PROCESS, ACCEPT_QUEUE, REMEMBERED, UNKNOWN = range(4)

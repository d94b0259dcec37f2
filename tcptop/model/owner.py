"""How much is known of the process behind a socket, and why not more."""

from __future__ import annotations

# Codes of the `owner` column, as the snapshot spells them.
OWNER_KINDS = ("process", "accept-queue", "remembered", "unknown")
PROCESS, ACCEPT_QUEUE, REMEMBERED, UNKNOWN = range(4)

# Codes of the `note` column: why `owner` is not a process.
NOTES = (
    "",
    "waiting in the accept queue: no process has accepted it yet",
    "closed by this process; the kernel finishes the connection",
    "half-open: it has no process until the handshake ends",
    "the kernel keeps it after its close, which was before tcptop first saw it",
    "closed by a process that tcptop did not see; the kernel sends what is left",
    "not permitted: the processes of its user may not be read",
    "no process seen from here has it open: held by the kernel or in flight, or just closed",
    "not searched for yet: the search ran out of its time",
    "its listener is gone and no process accepted it",
    "held by a process that not even tcptop's present rights may look into, or by the kernel",
)
(
    NONE,
    IN_ACCEPT_QUEUE,
    CLOSED_BY_REMEMBERED,
    HALF_OPEN,
    KERNEL_KEEPS,
    ORPHAN,
    NOT_PERMITTED,
    NOT_FOUND,
    NOT_SEARCHED,
    NO_LISTENER,
    HIDDEN,
) = range(11)

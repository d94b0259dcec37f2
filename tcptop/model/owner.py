"""How much is known of the process behind a socket, and why not more."""

from __future__ import annotations

# Codes of the `owner` column, as the snapshot spells them.
OWNER_KINDS = ("process", "accept-queue", "remembered", "unknown")
PROCESS, ACCEPT_QUEUE, REMEMBERED, UNKNOWN = range(4)

# Codes of the `note` column: why `owner` is not a process.
NOTES = (
    "",
    "in the accept queue: no process has accepted it yet",
    "closed by this process; the kernel finishes the connection",
    "half-open: no process until the handshake completes",
    "kept by the kernel: it was closed before tcptop first saw it",
    "closed by an unknown process; the kernel sends what is left",
    "not permitted to read the processes of its user",
    "no visible process holds it: held by the kernel, in flight, or just closed",
    "not searched for yet: the search ran out of time",
    "its listener is gone, and no process accepted it",
    "no process that tcptop may read holds it: held by one it may not, even with its present "
    "rights, by the kernel, in flight, or just closed",
    "no process of this pid namespace holds it: held outside of it, by the kernel, in flight, or "
    "just closed",
    "held by this process when it was last seen",
    "no sample has seen it: it lived between two of them",
    "no sample has seen who held it",
    "inferred: the connections to the same destination that were seen with a process are its own",
    "inferred: the listener that it came in by is this process's",
    "registered with io_uring by this process, which has no descriptor of it",
    "no visible process holds it; descriptors are in flight in UNIX sockets, it may be one of them",
    "not told: a dump of ss has no processes",
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
    OUTSIDE,
    HELD,
    NEVER_SEEN,
    NOBODY_SEEN,
    BY_DESTINATION,
    BY_LISTENER,
    IN_RING,
    IN_FLIGHT,
    NOT_TOLD,
) = range(20)

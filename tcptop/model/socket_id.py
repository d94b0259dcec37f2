"""What a socket is, of all namespaces: a cookie says it only inside of one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tcptop.model.arrays import row_hash


class SocketId(NamedTuple):
    netns: int
    cookie: int


def socket_keys(netns: NDArray[np.uint32], cookies: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A number for each socket, to join and sort by: not for files, as a hash is in it.

    Inside a namespace as exact as the cookie; of n sockets of several, two share a number with a
    probability of about n^2 / 2^65. Equal namespaces beside each other are hashed once.
    """
    end = np.append(np.flatnonzero(netns[1:] != netns[:-1]) + 1, len(netns))
    if len(end) == 1:
        return cookies ^ row_hash(netns[:1])
    start = np.concatenate([[0], end[:-1]])
    return cookies ^ np.repeat(row_hash(netns[start]), end - start)

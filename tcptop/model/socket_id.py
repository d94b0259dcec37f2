"""What a socket is, of all namespaces: a cookie says it only inside of one."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tcptop.model.arrays import row_hash
from tcptop.model.named_tuple import NamedTuple


class SocketId(NamedTuple):
    netns: int
    cookie: int


def socket_keys(netns: NDArray[np.uint32], cookies: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A number for each socket, to join and sort by: not for files, as a hash is in it.

    Inside a namespace as exact as the cookie; of n sockets of several, two share a number with a
    probability of about n^2 / 2^65. Equal namespaces beside each other are hashed once.
    """
    if not len(netns):
        return cookies
    if (netns == netns[0]).all():  # mostly
        return cookies ^ _hashed(int(netns[0]))
    end = np.append(np.flatnonzero(netns[1:] != netns[:-1]) + 1, len(netns))
    start = np.concatenate([[0], end[:-1]])
    return cookies ^ np.repeat(row_hash(netns[start]), end - start)


@lru_cache(16)
def _hashed(netns: int) -> np.uint64:
    found: np.uint64 = row_hash(np.array([netns]))[0]
    return found

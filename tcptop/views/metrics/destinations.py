"""Ephemeral ports towards the destinations that have the fewest left."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from prometheus_client.core import Metric

from tcptop.columns.ports import local_texts, remote_texts, share
from tcptop.model.selection import Selection
from tcptop.views.metrics.families import gauge

DESTINATIONS = 30


def destinations(selection: Selection) -> Iterator[Metric]:
    taken = np.nan_to_num(share(selection, selection.ports), nan=-1.0)
    places = selection.ports[np.argsort(-taken, kind="stable")][:DESTINATIONS]
    found = selection.snapshot.ports
    spaces = [selection.snapshot.space(netns) for netns in found.netns[places].tolist()]
    labels = list(
        zip(
            spaces,
            local_texts(selection, places),
            remote_texts(selection, places),
            strict=True,
        )
    )
    for name, help, column in (
        ("used", "Ephemeral ports in use towards a destination", found.used),
        ("time_wait", "Of these, in TIME-WAIT", found.time_wait),
        ("free", "Ephemeral ports that connect() can still take", found.headroom),
        ("capacity", "Ephemeral ports that there are", found.capacity),
    ):
        values = zip(labels, column[places].astype(np.float64).tolist(), strict=True)
        yield from gauge(
            f"ephemeral_ports_{name}", help, ("netns", "source", "destination"), values
        )

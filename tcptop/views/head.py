"""What a snapshot says besides its lists: of itself, the host, the totals and the kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tcptop.model import tcp
from tcptop.model.sample import Kernel
from tcptop.model.selection import Selection
from tcptop.model.snapshot import Snapshot
from tcptop.views.rows import rfc3339, rounded
from tcptop.views.socket_rows import container

SCHEMA = "tcptop.snapshot/1"


def head(selection: Selection, notes: Sequence[str] = ()) -> dict[str, Any]:
    """Which look at which host this is, and by what filter; `check` writes the same."""
    sample = selection.snapshot.sample
    return {
        "schema": SCHEMA,
        "taken_at": rfc3339(sample.taken_at),
        "host": {
            "hostname": sample.host.hostname or None,
            "kernel": sample.host.kernel or None,
            "uptime_s": rounded(sample.host.uptime_s),
        },
        "collector": {
            "version": sample.version,
            "source": sample.source,
            "via": sample.via,
            "privileged": sample.privileged,
            "poll_ms": rounded(sample.poll_ms),
            "over_s": rounded(selection.snapshot.over_s),
            "silent_rules": silent_rules(selection.snapshot),
            "notes": [*said(selection.snapshot), *notes],
        },
        "filter": selection.filter,
    }


def said(snapshot: Snapshot) -> list[str]:
    """What could not be seen, and why; the rules by name that could not look for it."""
    return [*snapshot.sample.notes, *(each.note for each in snapshot.silent)]


def silent_rules(snapshot: Snapshot) -> list[str]:
    """Ids of the rules whose input could not be read."""
    return list(dict.fromkeys(id for each in snapshot.silent for id in each.rules))


def totals(selection: Selection) -> dict[str, Any]:
    """Sockets by namespace and by state, whatever the filter shows."""
    sample, counted = selection.snapshot.sample, selection.snapshot.totals
    return {
        "namespaces": [
            {
                "inode": space.inode,
                "name": space.name,
                "pids": list(space.pids),
                "container": container(space.container),
                "sockets": int(np.count_nonzero(sample.sockets.netns == space.inode)),
            }
            for space in sample.namespaces
        ],
        "totals": {
            "sockets": counted.sockets,
            "selected": len(selection.rows),
            "by_state": dict(zip(tcp.STATES[1:], counted.by_state[1:], strict=True)),
            "attributed": counted.attributed,
            "opens_seen_ratio": rounded(counted.opens_seen_ratio, 4),
            "closes_seen": counted.closes_seen if sample.deaths else None,
            "closes_lost": counted.closes_lost if sample.deaths else None,
        },
    }


def kernel(selection: Selection) -> list[dict[str, Any]]:
    """Counters and limits of each namespace; of those that may not be entered counters alone."""
    snapshot, sample = selection.snapshot, selection.snapshot.sample
    return [_kernel(snapshot, values) for values in (*sample.kernel, *sample.unentered)]


def _kernel(snapshot: Snapshot, values: Kernel) -> dict[str, Any]:
    rates = snapshot.kernel_rates.get(values.netns)
    return {
        "netns": values.netns,
        "counters": {section: dict(names) for section, names in values.counters.items()},
        "rates": rates
        and {
            section: {name: rounded(rate) for name, rate in names.items()}
            for section, names in rates.items()
        },
        "sockstat": {protocol: dict(names) for protocol, names in values.sockstat.items()},
        "sysctls": dict(values.sysctls),
    }

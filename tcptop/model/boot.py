"""Whether two samples are of one host since one boot: only then pids and cookies are the same."""

from __future__ import annotations

from tcptop.model.sample import Sample

CLOCK_ERROR_S = 2.0  # a wall clock that is set, or runs slowly for a while


def same_boot(one: Sample, other: Sample) -> bool:
    """By the boot's id, else a host of the same name that was up all the time between."""
    ids = one.host.boot_id, other.host.boot_id
    if None not in ids:
        return ids[0] == ids[1]
    if one.host.hostname != other.host.hostname:
        return False
    first, last = sorted((one, other), key=lambda each: each.taken_at)
    return last.host.uptime_s + CLOCK_ERROR_S >= last.taken_at - first.taken_at

"""Whose a socket is by the control group that it was made in, which the kernel keeps with it.

Connections have their listener's (sk_clone_lock, net/core/sock.c); a socket that systemd listened
with was made in init.scope.
"""

from __future__ import annotations

import re

import numpy as np

from tcptop.model.container import Workload, container_of, unit_of
from tcptop.model.sample import Process, Sample
from tcptop.model.table import U64, Bools, Index

NOBODYS = Workload(None, None)
# Where cgroup v1 is in use it alone may know a container, whose sockets are made in the cgroup2 of
# what has started it.
_STARTERS = re.compile(
    r"(?:.*[.-])?(?:docker|dockerd|containerd|crio|cri-o|kubelet|k3s|k3s-agent|rke2-server|rke2-agent"
    r"|podman|lxc|lxd|incus)\.service|session-.+\.scope|user@.+\.service|init\.scope"
)
ACTIVATED = "init.scope"  # what systemd itself has made for others


def made_in(sample: Sample, cgroup: int) -> Workload:
    """The workload of a control group, by id."""
    path = sample.cgroups.get(cgroup)
    unit, box = unit_of(path), container_of(path)
    if box is None and sample.cgroups_v1 and unit is not None and _STARTERS.fullmatch(unit):
        return NOBODYS
    return Workload(unit, box)


def contradicted(
    sample: Sample, cgroups: U64, process: Index, people: tuple[Process, ...]
) -> Bools:
    """Where the control group of a socket is another container's or unit's than that of the process
    (a place in `people`, or -1) whose it may be."""
    found = np.zeros(len(process), bool)
    for row in np.flatnonzero((process >= 0) & (cgroups != 0)).tolist():
        found[row] = _differ(made_in(sample, int(cgroups[row])), people[int(process[row])])
    return found


def _differ(own: Workload, process: Process) -> bool:
    if process.cgroup is None or own == NOBODYS or own.unit == ACTIVATED:
        return False
    ids = [each and (each.runtime, each.id) for each in (own.container, process.container)]
    return ids[0] != ids[1] or own.unit != process.unit

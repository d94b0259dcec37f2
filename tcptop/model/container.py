"""Which systemd unit and which container a control group belongs to, from its path alone.

Each runtime has two spellings: scopes of systemd (docker-ID.scope), and directories (docker/ID).
Docker: daemon/oci_linux.go. Podman: libpod/container_internal_linux.go. Kubernetes:
pkg/kubelet/cm/cgroup_manager_linux.go, and the runtimes' own prefixes beside it. A colon stands in
paths that were meant for systemd and taken literally (system.slice:docker:ID).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from tcptop.model.named_tuple import NamedTuple

_ID = "[0-9a-f]{64}"
_OWN = tuple(  # what one directory's name tells
    (runtime, re.compile(rf"(?:.*:)?{pattern}"))
    for runtime, pattern in (
        ("docker", rf"docker[-:]({_ID})(?:\.scope)?"),
        ("podman", rf"libpod[-:](?:payload-)?({_ID})(?:\.scope)?"),
        ("cri-o", rf"crio[-:]({_ID})(?:\.scope)?"),
        ("containerd", rf"(?:cri-containerd|nerdctl)[-:]({_ID})(?:\.scope)?"),
        ("lxc", r"lxc\.payload\.(.+)"),
        ("nspawn", r"systemd-nspawn@(.+)\.service"),
        ("nspawn", r"machine-(?!qemu|lxc|libpod)(.+)\.scope"),  # libvirt's are machines, and lxc
    )
)
_BELOW = (  # what a directory's name tells with that of the one above it
    ("docker", "docker", re.compile(f"({_ID})")),
    ("buildkit", "buildkit", re.compile(r"([0-9a-z]{25})")),
    ("lxc", "lxc", re.compile(r"(.+)")),
    ("lxc", "lxc.payload", re.compile(r"(.+)")),
)
_BARE = re.compile(_ID)
_KUBERNETES = re.compile(r"(?:^|[/-])kubepods")
_POD = re.compile(
    r"(?<=[-/])pod([0-9a-f]{8}[-_](?:[0-9a-f]{4}[-_]){3}[0-9a-f]{12}|[0-9a-f]{32})(?![0-9a-f])"
)
_PODMAN_POD = re.compile(rf"(?:libpod_pod_|libpod_parent/)({_ID})")
_UNIT = re.compile(r"([^/]+\.(?:service|scope|socket|mount|swap))(?:/|$)")
_SLICE = re.compile(r"([^/]+\.slice)(?:/|$)")
_ESCAPES = re.compile(r"(?:\\x[0-9a-f]{2})+")


class Container(NamedTuple):
    """The innermost one; None is unknown. Where only the host name tells it apart, `id` is None."""

    runtime: str | None
    id: str | None
    pod: str | None = None  # the uid that Kubernetes gave it; Podman's id of a pod
    name: str | None = None
    inside: str | None = None  # the id of the container that this one runs in


class Workload(NamedTuple):
    """Whose a socket or process is in the words of the operator; None is unknown, or none."""

    unit: str | None
    container: Container | None


@lru_cache(maxsize=4096)
def unit_of(cgroup: str | None) -> str | None:
    """The systemd unit that a cgroup path is in, else its slice: ssh.service, user.slice.

    The innermost unit counts, as in systemctl status; a user's session manager runs units too.
    """
    for pattern in (_UNIT, _SLICE):
        found = pattern.findall(cgroup or "")
        if found:
            return _unescaped(found[-1])
    return None


@lru_cache(maxsize=4096)
def container_of(cgroup: str | None, name: str | None = None) -> Container | None:
    """The innermost container that a cgroup path is of; docker in docker and kind nest them. By its
    name, where that is known, a container is told even if its path tells of none."""
    box = _innermost(cgroup or "")
    return box if name is None else (box or Container(None, None))._replace(name=name)


def _innermost(path: str) -> Container | None:
    found = [*_containers(path)]
    if not found:
        return None
    runtime, number = found[-1]
    return Container(runtime, number, _pod(path), inside=found[-2][1] if found[1:] else None)


def _containers(path: str) -> Iterator[tuple[str | None, str]]:
    """Runtime and id of each, from the outside in."""
    above, before = "", ""
    for name in path.split("/"):
        found = _named(name, above) or _bare(name, above, before)
        if found:
            yield found
        above, before = name, f"{before}/{name}"


def _named(name: str, above: str) -> tuple[str, str] | None:
    for runtime, pattern in _OWN:
        if found := pattern.fullmatch(name):
            return runtime, _unescaped(found[1])
    for runtime, parent, pattern in _BELOW:
        if above == parent and (found := pattern.fullmatch(name)):
            return runtime, found[1]
    return None


def _bare(name: str, above: str, before: str) -> tuple[str | None, str] | None:
    """Nothing but an id: containerd's in a pod, else of a runtime that was given a parent."""
    if not _BARE.fullmatch(name) or above == "libpod_parent":
        return None
    return ("containerd" if _KUBERNETES.search(before) else None), name


def _pod(path: str) -> str | None:
    for pattern in (_POD, _PODMAN_POD):
        found = pattern.findall(path)
        if found:
            return str(found[-1]).replace("_", "-")
    return None


def _unescaped(name: str) -> str:
    r"""As systemd.unit(5) escapes: \x2d is a dash; bytes of UTF-8 are escaped one by one."""
    return _ESCAPES.sub(lambda found: _bytes(found[0]).decode(errors="replace"), name)


def _bytes(escapes: str) -> bytes:
    return bytes.fromhex(escapes.replace("\\x", ""))

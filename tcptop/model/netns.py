"""Commands for a shell that is in another network namespace than what they are about."""

from __future__ import annotations

import re
from shlex import quote

from tcptop.model.sample import Sample
from tcptop.model.sysctls import FIRST_ONLY, SET_IN_FIRST

# Commands within a sentence that look at a namespace or change it; "(ss -ltn there)" is of another
# host, where this one's names of namespaces say nothing.
_SAID = re.compile(
    r"\b(?![^();]* there\))"
    r"(?:sysctl (?:-w )?(net\.[\w.]+)|(?:ss|nstat|ping|conntrack|tcpdump|mtr|ethtool|tc) -"
    r"|ip (?:-s )?(?:route|rule|neigh)\b|nft list |iptables-save\b)"
)


def reaching(sample: Sample, netns: int) -> str | None:
    """The name of a namespace, else the pid (all digits) of a process in it, else a path on which
    it is mounted (with a slash); None: no way in."""
    path: str | None = None
    pids = [each.pid for each in sample.owners.processes.values() if each.netns == netns]
    for namespace in sample.namespaces:
        if namespace.inode == netns:
            if namespace.name is not None:
                return namespace.name
            pids += namespace.pids
            path = namespace.path
    return str(min(pids)) if pids else path


def from_outside(command: str, inside: str) -> str:
    """A command line as it is typed elsewhere; one that says the way in already stays.

    Of a pipe only the first command looks at the network; of several, each may.
    """
    enter = _enter(inside)
    if command.startswith(f"{enter} "):
        return command
    if _first_only(command):
        parts = command.split("; ")
        return "; ".join(each if _first_only(each) else f"{enter} {each}" for each in parts)
    return f"{enter} sh -c {quote(command)}" if ";" in command else f"{enter} {command}"


def text_from_outside(text: str, inside: str) -> str:
    """A text whose commands are typed elsewhere."""
    enter = _enter(inside)
    return _SAID.sub(lambda found: found[0] if _outside(found) else f"{enter} {found[0]}", text)


def _first_only(command: str) -> bool:
    return any(name in command for name in FIRST_ONLY)


def _outside(found: re.Match[str]) -> bool:
    """Whether it can be done in the first namespace alone."""
    return found[1] in FIRST_ONLY or (found[1] in SET_IN_FIRST and " -w " in found[0])


def _enter(inside: str) -> str:
    if inside.isdecimal():
        return f"nsenter -t {inside} -n"
    if "/" in inside:
        return f"nsenter --net={quote(inside)}"
    return f"ip netns exec {quote(inside)}"

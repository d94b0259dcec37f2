"""What is said of a host that keeps back what it sends itself."""

from __future__ import annotations

from collections.abc import Iterator

from tcptop.analysis.dialing import Callee
from tcptop.analysis.findings import unanswered, words
from tcptop.analysis.findings.kept_back import DROPS, REFUSES, REJECTS, KeptBack
from tcptop.analysis.findings.observations import Observations
from tcptop.model import address
from tcptop.model.finding import Finding, Subject

NAMED = 3  # processes, places
OWN_RULE = (
    "Find the rule of this host that takes them, in OUTPUT or POSTROUTING: nft list ruleset, "
    "iptables-save -c (the counter that rises). "
)
FIND_RULE = OWN_RULE + (
    "kube-proxy rejects a service that has no endpoints there; IPAddressDeny= of a systemd unit "
    "and other BPF programs of cgroups are in neither list. The called host and the network never "
    "see these packets."
)
FIND_PORT = (
    "See where NAT of this host leads: nft list ruleset, iptables-save -t nat (REDIRECT or DNAT in "
    "OUTPUT). Start what should listen there, a sidecar or proxy that has ended, or remove the "
    "rule. The called host never sees these connects."
)
KEPT = (
    "{n} packets that this host sent or passed on within {t} did not reach a device (IpOutRequests "
    "less IpOutTransmits): "
)
COUNTED = {
    REJECTS: KEPT + "a filter of its own rejects them, by ICMP that it sends itself "
    "(OutDestUnreachs, InDestUnreachs).",
    DROPS: KEPT + "a filter of its own drops them.",
    REFUSES: "{n} connects within {t} were refused (AttemptFails), and this host sent as many "
    "resets (OutRsts): it refuses them itself, as NAT leads them to a port here where nothing "
    "listens.",
}
CONFIRM = (
    "nstat -az IpOutRequests IpOutTransmits IcmpOutDestUnreachs TcpActiveOpens TcpAttemptFails "
    "TcpOutRsts TcpExtTCPRetransFail; nft list ruleset; iptables-save -c"
)


def finding(id: str, seen: Observations, found: KeptBack) -> Finding:
    to = _to(seen, found)
    who = f" ({words.called(found.processes[0])})" if found.processes else ""
    what = "connects" if found.how == REFUSES else "packets"
    pids = tuple(sorted({each.pid for each in found.processes}))
    counted = COUNTED[found.how].format(n=words.number(found.packets), t=_lasted(found))
    return Finding(
        id,
        words.key(id, found.netns, "out"),
        "warning",
        f"This host {found.how} its own {what}{f' to {to}' if to else ''}{who}: {_harm(found)}",
        Subject(found.netns, pids, destination=to),
        {"kept_back": found.packets, "connects": found.connects, "stuck": len(found.stuck)},
        (counted, *_evidence(seen, found)),
        FIND_PORT if found.how == REFUSES else FIND_RULE,
        CONFIRM,
    )


def _to(seen: Observations, found: KeptBack) -> str | None:
    """The one place of nearly all of them."""
    if found.connects:
        return _called(seen, found.place) if found.place else None
    there = {words.remote(seen.sample, row) for row in found.stuck.tolist()}
    return there.pop() if len(there) == 1 else None


def _called(seen: Observations, to: Callee) -> str:
    """Its address alone, where the kernel has forgotten the port."""
    if to.remote_port:
        return unanswered.called(seen, to)
    return address.text(to.remote_hi, to.remote_lo) + seen.sample.zone(to.netns, to.interface)


def _harm(found: KeptBack) -> str:
    if not found.connects:
        return f"{words.count(len(found.stuck), 'connection')} cannot send"
    many, waiting = words.count(found.connects, "connect"), found.waiting
    return f"{many} within {_lasted(found)} failed{' or wait' if waiting else ''}"


def _lasted(found: KeptBack) -> str:
    return words.duration(round(found.seconds, 1))


def _evidence(seen: Observations, found: KeptBack) -> Iterator[str]:
    if found.connects:
        listed = [f"{words.number(n)} to {_called(seen, to)}" for to, n in found.places[:NAMED]]
        listed += ["others"] if len(found.places) > NAMED else []
        ended = "ended without a connection"
        ended += ", or wait in SYN-SENT" if found.waiting else ""
        yield f"In that time these connects {ended}: {words.joined(listed)}."
    if len(found.stuck):
        yield (
            f"On {words.count(len(found.stuck), 'connection')} what waits in Send-Q has never "
            "left: nothing is unacknowledged and the window is open, yet the timer to try again "
            "has run out more than once."
        )
    if found.processes:
        who = words.joined([words.who(each) for each in found.processes[:NAMED]])
        yield f"Sockets of them belong to {who}."

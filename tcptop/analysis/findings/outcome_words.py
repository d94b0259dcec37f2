"""What is said of a destination where nearly everything fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tcptop.analysis.findings import reuse_words, unanswered, ungreeted, words
from tcptop.analysis.findings.awaiting import IN_FLIGHT_S
from tcptop.analysis.findings.hung_up import SOON_S
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.outcomes import Outcomes, unacknowledged
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.route import NO_ROUTE
from tcptop.model.sample import Process
from tcptop.model.table import F64

NAMED = 3  # processes
SHORT_S = 0.1


class _Kind(NamedTuple):
    number: int
    alone: str  # of a title, when nothing else happened: {n} of {who} to {to}
    said: str


def kinds(found: Outcomes) -> list[_Kind]:
    """Those that happened, the most first."""
    every = (
        _Kind(found.refused, "{n} connects to {to}{by} within {t} were refused", "refused"),
        _silent(found),
        _Kind(
            found.rejected,
            "{n} connects to {to}{by} within {t} were rejected by ICMP",
            "rejected by ICMP",
        ),
        _Kind(
            found.rejected_here,
            "{n} connects to {to}{by} within {t} failed: this host rejects them itself",
            "rejected by this host itself",
        ),
        _Kind(
            found.untold,
            "{n} connects to {to}{by} within {t} failed",
            "ended before they were open",
        ),
        _Kind(
            found.unrouted,
            "{n} connects to {to}{by} within {t} failed: this host has " + found.no_route,
            "failed at once without a route",
        ),
        _Kind(
            found.reset - found.in_use,
            "{n} connections to {to}{by} that ended within {t} were reset before an answer",
            "reset before an answer",
        ),
        _Kind(
            found.in_use,
            "{n} connections to {to}{by} that ended within {t} were reset in use with a request "
            "unanswered",
            "reset in use with a request unanswered",
        ),
        _Kind(
            found.left,
            "{n} connections to {to}{by} that ended within {t} were closed here for want of an "
            "answer",
            "closed here for want of an answer",
        ),
        _Kind(
            found.cut,
            "{n} connections to {to}{by} that ended within {t} were closed by the other end "
            "without a byte",
            "closed by the other end without a byte",
        ),
        _Kind(
            found.lost,
            "{n} connections to {to}{by} that ended within {t} were lost: what they had sent was "
            "not acknowledged",
            "lost, with what they had sent not acknowledged",
        ),
        _Kind(
            found.turned,
            "{n} connections to {to}{by} within {t} were turned away",
            "turned away",
        ),
        _Kind(
            found.reused,
            "{n} connections to {to}{by} within {t} were reset as they were used again after about "
            "{idle} idle",
            "reset as they were used again",
        ),
        _Kind(
            found.declined,
            "{n} connections to {to}{by} within {t} were closed here as the server declined TLS",
            "declined TLS",
        ),
        _Kind(
            found.ungreeted,
            "{n} connections to {to}{by} that ended within {t} were closed here for want of a "
            "greeting",
            "closed here for want of a greeting",
        ),
    )
    return sorted((each for each in every if each.number), key=lambda each: -each.number)


def _silent(found: Outcomes) -> _Kind:
    """An ICMP message leaves no trace in what it ends."""
    if found.answered_late:
        late = "{n} connects to {to}{by} within {t} were given up before the answer came"
        return _Kind(found.silent, late, "given up before the answer came")
    start = "{n} connects to {to}{by} within {t} got no answer"
    if found.unreachables:
        either = " or were rejected by ICMP"
        return _Kind(found.silent, start + either, "not answered or rejected by ICMP")
    return _Kind(found.silent, start, "not answered at all")


def title(found: Outcomes, to: str, who: Sequence[Process], apparent: bool) -> str:
    every_kind = kinds(found)
    begun = found.unopened + found.turned + found.declined > 0
    open_ = found.working if found.reused else found.young if begun else 0
    every = found.failed + found.well + open_
    all_of_them = f"all {words.number(found.failed)}"
    some = f"{words.number(found.failed)} of {words.number(every)}"
    number = some if every > found.failed else all_of_them
    by = f" ({'apparently ' if apparent else ''}by {_names(who)})" if who else ""
    told = {"n": number, "to": to, "by": by, "t": words.duration(found.seconds)}
    told |= {"idle": reuse_words.idle(found)} if found.reused else {}
    if len(every_kind) == 1:
        said = every_kind[0].alone.format_map(told)
    else:
        listed = ", ".join(f"{words.number(each.number)} {each.said}" for each in every_kind)
        said = "{n} connections to {to}{by} within {t} failed: ".format_map(told) + listed
    return said[0].upper() + said[1:] if said.startswith("all ") else said


def _were(number: int) -> str:
    return "was" if number == 1 else "were"


def _names(who: Sequence[Process]) -> str:
    names = list(dict.fromkeys(map(words.called, who)))
    return names[0] if len(names) == 1 else f"{names[0]} and others"


def evidence(
    seen: Observations,
    found: Outcomes,
    to: str,
    who: Sequence[Process],
    apparent: bool,
    spared: bool,
) -> Iterator[str]:
    listed = words.joined([f"{words.number(each.number)} {each.said}" for each in kinds(found)])
    yield (
        f"In the last {words.duration(found.seconds)} the kernel reported the end of "
        f"{words.count(found.failed, 'socket')} that called {to}"
        f"{'' if found.in_use else ' in vain'}: {listed}."
    )
    yield _others(found, to)
    if found.repeated:
        yield (
            f"{words.number(found.repeated)} of those without an answer had sent the SYN again, so "
            "they waited for a second or longer."
        )
    if found.answered_late:
        yield ("Those without an answer ended within about a second: none had sent the SYN again.")
        yield (
            f"This host sent {words.number(found.answered_late)} resets meanwhile (OutRsts), about "
            "as many as were given up: answers came, and met no socket any more."
        )
    if found.unreachables:
        yield (
            f"{words.count(found.unreachables, 'ICMP unreachable')} came in meanwhile "
            "(InDestUnreachs), to these or to others: at most so many of these were rejected; "
            "tcpdump -ni any 'icmp or icmp6' shows who sends them."
        )
    if found.silent and gone(seen, found):
        yield gone(seen, found)
    if found.left:
        yield from _left(found)
    if found.ungreeted:
        port, waited = found.callee.remote_port, _range(found.ungreeted_s)
        yield ungreeted.told(port, waited, found.ungreeted_open)
    if found.cut:
        yield _cut(found)
    if found.turned:
        yield _turned(found)
    if found.declined:
        yield (
            f"{words.number(found.declined)} of them had sent 8 bytes, as an SSLRequest of "
            "PostgreSQL, got one byte, and were closed here then: that byte is N where the server "
            "has no TLS; where it has, the handshake follows."
        )
    if found.reused:
        yield reuse_words.evidence(found)
    if found.lost:
        yield (
            f"What was lost had been retransmitted {_between(found.repeats)} times before: "
            "the network has lost it, or its acknowledgement, or the host there is gone."
        )
    rows = unacknowledged(seen, found.callee)
    if len(rows):
        backoff = int(seen.table.tcp_info("backoff")[rows].max())
        yield (
            f"{words.count(len(rows), 'connection')} there that this host has closed "
            f"{'retransmits' if len(rows) == 1 else 'retransmit'} what was sent last or the FIN, "
            f"and nothing is acknowledged (FIN-WAIT-1, LAST-ACK or CLOSING, backoff {backoff} at "
            "most)."
        )
    if found.in_use:
        yield (
            f"{words.number(found.in_use)} of those reset had been answered before, and were so "
            "with the next request under way, which was not acknowledged."
        )
    if found.after_a_pause:
        yield (
            f"{words.number(len(found.paused))} of those reset had been idle before the last thing "
            f"was sent, the shortest for {words.exactly(float(found.paused[0]))}."
        )
    if found.closed_before:
        yield (
            f"{words.number(found.closed_before)} of those reset {_were(found.closed_before)} in "
            "CLOSE-WAIT when last seen: the other end had closed, and this one sent on."
        )
    if found.unrouted:
        yield from _unrouted(found, spared)
    elif not found.callee.remote_port:
        yield "They failed before connect() returned: the kernel no longer knows the port then."
    yield from _callers(found, who, apparent)
    if spared and found.unopened and not found.unrouted and found.callee.remote_port:
        yield "Others at the same port answer meanwhile."


def _unrouted(found: Outcomes, spared: bool) -> Iterator[str]:
    error = 'with ENETUNREACH ("Network is unreachable")'
    yield (
        f"No packet has left: this host has {found.no_route}, so that connect() fails at once"
        f"{' ' + error if found.no_route == NO_ROUTE else ''}."
    )
    if spared:
        mine, other = ("IPv4", "IPv6") if unanswered.is_v4(found.callee) else ("IPv6", "IPv4")
        yield (
            f"This host has no connection to another one by {mine}, and those by {other} go well "
            "meanwhile: programs that try one address of a name after the other continue there."
        )


def gone(seen: Observations, found: Outcomes) -> str:
    """Where the next hop does not answer, so that nothing leaves."""
    hop = unanswered.hop_to(seen, found.callee)
    if not hop.gone or not hop.address:
        return ""
    whom = f"{hop.address}, the gateway to it," if hop.gateway else hop.address
    asks = unanswered.asks_by(found.callee)
    return f"The SYNs do not leave this host: {whom} does not answer {asks} (ip neigh)."


def _others(found: Outcomes, to: str) -> str:
    if not found.fine:
        return f"No other connection to {to} ended well or brought anything meanwhile."
    if not found.well and not found.young:
        older = words.count(found.working, "connection")
        return (
            f"{older} to {to} that {_were(found.working)} open before brought something meanwhile."
        )
    many = words.count(found.fine, "other connection")
    if not found.callee.remote_port:
        return (
            f"{many} to {to} opened or brought something meanwhile, at whatever port: that host is "
            "up."
        )
    return f"{many} to {to} ended well or brought something meanwhile."


def _left(found: Outcomes) -> Iterator[str]:
    late = len(found.late_s)
    if late:
        yield (
            f"The answer to {words.number(late)} of those closed here came nevertheless, "
            f"{_range(found.late_s)} after the request: their program has given up sooner."
        )
    if late < found.left:
        yield _waited(found)
    yield from _beside(found)


def _waited(found: Outcomes) -> str:
    waited = f"up to {words.exactly(float(found.waited_s[-1]))}"
    waited = waited if len(found.late_s) else _range(found.waited_s)
    never = (
        f"; {words.number(found.never_answered)} never got a byte" if found.never_answered else ""
    )
    return (
        f"Those closed here had waited {waited} for an answer{never}. The other kernel had "
        "acknowledged what was sent: the network carried that, and no answer came."
    )


def _beside(found: Outcomes) -> Iterator[str]:
    if found.small_only and found.hung:
        yield (
            "All that others there brought came in small segments: where large ones are lost on "
            "the way back (MTU), short answers come and long ones do not."
        )
    if found.errors and found.hung:
        yield (
            f"The {words.number(found.errors)} that ended well brought about "
            f"{words.number(float(found.answers[-1]))} bytes each, all the same: a health check or "
            "a small file looks so, and the error page of a proxy too (502, 503: curl -i tells)."
        )
    if found.none_new:
        yield (
            "Of those that were opened meanwhile none has brought a byte: only older ones are "
            "served."
        )
    if found.half_closed:
        yield (
            f"{words.count(found.half_closed, 'connection')} there that this host has closed "
            f"{'is' if found.half_closed == 1 else 'are'} in FIN-WAIT-2: the other program has not "
            "closed its end, as one does that reads."
        )
    if len(found.waiting_s):
        others = words.count(len(found.waiting_s), "other waits", "others wait")
        oldest = words.duration(float(found.waiting_s[-1]))
        least = words.duration(IN_FLIGHT_S)
        yield f"{others} there for an answer for {least} or longer now, the oldest for {oldest}."


def _cut(found: Outcomes) -> str:
    """Of those that asked, after what was sent last; of the others, after they were opened."""
    asked = found.cut - found.unasked
    after = "the last thing was sent" if asked else "they were opened"
    some = f"; {words.number(found.unasked)} had sent nothing" if asked and found.unasked else ""
    last = " or they were opened" if some else ""
    return (
        f"Those closed by the other end ended {_after(found.cut_s)} after {after}{last}{some}: the "
        "connect works, and whoever accepts it ends it without an answer."
    )


def _turned(found: Outcomes) -> str:
    others = words.count(found.staying, "connection stays", "connections stay")
    stay = f", while {others} open there since before" if found.staying else ""
    return (
        f"Those turned away were over within {words.exactly(SOON_S)}, after at most "
        f"{words.number(found.most_bytes)} bytes from the server, as an error is{stay}."
    )


def _range(seconds: F64) -> str:
    low, high = (words.exactly(float(seconds[at])) for at in (0, -1))
    return low if low == high else f"between {low} and {high}"


def _after(seconds: F64) -> str:
    """As `_range`, also of what is too short to be told."""
    if seconds[-1] < SHORT_S:
        return f"less than {words.exactly(SHORT_S)}"
    return _range(seconds) if seconds[0] >= SHORT_S else f"up to {words.exactly(seconds[-1])}"


def _between(numbers: F64) -> str:
    low, high = (words.number(float(numbers[at])) for at in (0, -1))
    return low if low == high else f"{low} to {high}"


def _callers(found: Outcomes, who: Sequence[Process], apparent: bool) -> Iterator[str]:
    names = ", ".join(map(words.who, who[:NAMED]))
    if not who:
        yield (
            "The process is unknown, as these left no row; "
            f"{'' if found.unrouted else 'tcpconnect (bcc) or '}strace -f -e trace=connect -p PID "
            "shows it."
        )
    elif apparent:
        yield f"Other connections to the same address belong to {names}."
    else:
        seen = "They" if found.whose.held >= found.failed else "Those seen before they ended"
        yield f"{seen} belonged to {names}."

"""destination-failing: nearly all that this host tries at one destination fails, however little it
is, by the kernel's notices of sockets that end.

Rates and rows do not show it: three connects a second that are all refused are an outage of a small
service, and a request that its client gives up after two seconds is over before it looks old.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tcptop.analysis.findings import (
    broken_off,
    cut_in_silence,
    failed_places,
    neighbours,
    no_route,
    outcome_advice,
    outcome_words,
    torn,
    unanswered,
    words,
)
from tcptop.analysis.findings.ended import go_on
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.outcomes import Outcomes, by_counters, outcomes
from tcptop.analysis.findings.rule import Limits, Need, Rule, Threshold
from tcptop.model import address
from tcptop.model.finding import Finding, Subject
from tcptop.model.sample import Process
from tcptop.model.table import F64

ID = "destination-failing"
WATCHED_S = 4.75  # five samples, of which one may come early
BETWEEN_S = 2.0  # from the first failure to the last: a server that restarts refuses for less
CRITICAL = 10  # connects without an answer, as of connect-unanswered
ALIKE = 1.3  # the longest of most waits by the shortest: a deadline
LEFT_OUT = 0.1  # of the waits, at either end, that are not asked
MOMENTS = 3  # where others go well: a deploy restarts a server twice, perhaps
ASKED_AGAIN = 0.3  # of those reset: after a pause each fails, and others have had none yet
ANEW = 0.2  # of the failures, so many that go well
MANY = 10  # of one round, where older connections are answered: a few may be long polls
RARELY, AT_TIMES = 0.01, 0.03  # of the connects, that are told, and that are a warning
FEW = 2  # connects, where none goes well: a pool that has given up asks every few seconds
OTHER_PORTS = 5  # times as many that go well at the same address, where the port is not known
SPARE_PER_S = 1.2  # attempts to a host that is down, of those who ask whether it is back


def find(seen: Observations, limits: Limits) -> Iterator[Finding]:
    least = int(min(limits["failures"], limits["unanswered"], FEW))
    known = list(outcomes(seen, limits["window_s"], least))
    for each in known:
        no_route.told(seen, each)  # asks for the route, a sample or more before it is told
    every = [each for each in known if _fails(seen, each, limits)]
    told = {each.callee._replace(remote_port=0) for each in every if each.callee.remote_port}
    for each in every:
        if each.callee not in told:  # the port is unknown of some, and known of others there
            yield _finding(seen, no_route.told(seen, by_counters(seen, each)), limits)
    for half in torn.torn(seen, limits["window_s"], int(limits["failures"])):
        if all(half.callee != each.callee for each in every):
            yield torn.finding(ID, seen, half)
    for cut in cut_in_silence.in_silence(seen, limits["window_s"], int(limits["failures"])):
        if all(cut.callee != each.callee for each in every):
            yield cut_in_silence.finding(ID, seen, cut)
    for off in broken_off.broken_off(seen, limits["window_s"], int(limits["failures"])):
        if all(off.callee != each.callee for each in every):
            yield broken_off.finding(ID, seen, off)


def _fails(seen: Observations, found: Outcomes, limits: Limits) -> bool:
    """One burst is a server that restarts, or a program that ends with its calls under way."""
    if _given_up(found, limits) and found.share >= limits["share"] and _goes_on(seen, found):
        return True
    if _again(found, limits):
        return True
    if found.spread_s < BETWEEN_S or not _lasts(seen, found):
        return False
    if found.failed < limits["failures"]:
        return _seldom(found)
    if found.none_new and found.left >= limits["failures"]:
        return True
    if found.fine and found.moments < MOMENTS and not found.errors:
        return False
    return (
        found.share >= limits["share"]
        or _broken(found) >= max(limits["failures"], RARELY * found.every)
        or _by_deadline(found, limits)
    )


def _given_up(found: Outcomes, limits: Limits) -> bool:
    return found.silent >= limits["unanswered"] and found.repeated > 0


def _seldom(found: Outcomes) -> bool:
    """So few are tried that a few are all; not what was given up within a second."""
    waited = found.repeated == found.silent
    return not found.fine and found.unopened == found.failed and waited


def _again(found: Outcomes, limits: Limits) -> bool:
    """One deadline ended them all, and others there wait for their answer already."""
    if found.ungreeted >= limits["failures"] and alike(found.ungreeted_s):
        return not found.fine and found.ungreeted_open > 0
    deadline = found.left >= limits["failures"] and alike(found.waited_s)
    none = not found.fine or (found.none_new and found.left >= MANY)
    return deadline and none and len(found.waiting_s) > 0


def _lasts(seen: Observations, found: Outcomes) -> bool:
    """Watched for long enough, and not over: the next failure is not overdue."""
    lasts = go_on(found.ago_s, found.spread_s, found.moments)
    return seen.watched_s >= WATCHED_S and lasts


def _goes_on(seen: Observations, found: Outcomes) -> bool:
    """Whether the callers have not ended; it is asked for, and told with the next sample."""
    there = [seen.facts(process) is not None for process in found.whose.processes]
    return any(there) or found.spread_s >= BETWEEN_S


def _broken(found: Outcomes) -> int:
    """Others are answered there, and these were not."""
    return (
        found.unopened
        + found.reset
        + found.cut
        - found.unasked
        + found.lost
        + found.turned
        + found.reused
        + found.ungreeted
    )


def _by_deadline(found: Outcomes, limits: Limits) -> bool:
    """Who leaves at the same time each time had one."""
    every = found.every - found.errors
    left = found.left >= max(limits["failures"], limits["partly"] / 2 * every)
    return left and alike(found.waited_s)


def alike(waited_s: F64) -> bool:
    some = np.quantile(waited_s, [LEFT_OUT, 1 - LEFT_OUT])
    return bool(some[1] <= ALIKE * some[0])


def _finding(seen: Observations, found: Outcomes, limits: Limits) -> Finding:
    to, netns = failed_places.said(seen, found.callee), found.callee.netns
    who, apparent = _callers(seen, found)
    values = {
        "failed": found.failed,
        "ended": found.failed + found.well,
        "refused": found.refused,
        "unanswered": found.silent,
        "reset": found.reset,
        "left": found.left,
        "cut": found.cut,
        "lost": found.lost,
        "turned": found.turned,
        "reused": found.reused,
        "declined": found.declined,
        "ungreeted": found.ungreeted,
        "answers_reset": found.answered_late,
    }
    spared = _spared(seen, found, limits)
    named = [] if apparent else who  # who has others there need not be who fails
    pids = tuple(sorted({each.pid for each in named}))
    subject = Subject(netns, pids, destination=to, over=True)
    return Finding(
        ID,
        words.key(ID, netns, to),
        _severity(seen, found, limits, spared),
        outcome_words.title(found, to, named, apparent),
        subject,
        values,
        tuple(outcome_words.evidence(seen, found, to, who, apparent, spared)),
        outcome_advice.advice(found, to, seen),
        _confirm(found, to),
        since=found.first_at,
    )


def _confirm(found: Outcomes, to: str) -> str:
    if found.unrouted:
        there = address.text(found.callee.remote_hi, found.callee.remote_lo)
        return f"ip route get {there}; nstat -az IpOutNoRoutes Ip6OutNoRoutes"
    return (
        f"timeout 10 ss -tinE 'dst {words.in_filter(to)}'; nstat -az TcpActiveOpens "
        "TcpAttemptFails TcpEstabResets"
    )


def _severity(seen: Observations, found: Outcomes, limits: Limits, spared: bool) -> str:
    if spared or not _harms(found, limits):
        return "info"
    unheard = found.silent + found.rejected_here
    if found.answered_late or found.fine or unheard < CRITICAL:
        return "warning"
    if neighbours.most_answer(seen, found.callee, found.seconds):
        return "warning"
    other = unanswered.by_other_family(seen, found.callee)  # programs go on with it, later
    return "warning" if other and other >= ANEW * unheard else "critical"


def _harms(found: Outcomes, limits: Limits) -> bool:
    """Of what fails at times a connect is the surest: a request may have been cancelled."""
    if not found.fine or found.none_new:
        return found.failed >= limits["failures"] or _given_up(found, limits)
    if found.share >= limits["share"] or _broken(found) >= limits["partly"] * found.every:
        return True
    rarely = max(found.unopened, found.reused)
    return rarely >= AT_TIMES * found.every or _by_deadline(found, limits)


def _spared(seen: Observations, found: Outcomes, limits: Limits) -> bool:
    """Nobody is harmed: the other family of addresses takes as many, or others of a pool do, and
    somebody asks now and then whether this one is back; or what is reset after a pause, as the
    other end had closed it meanwhile, is dialed anew and answered."""
    if found.after_a_pause and found.reset == found.failed:
        anew = found.fine >= ANEW * found.failed
        return anew and not _forgotten_steadily(found, limits)
    if no_route.spared(seen, found):
        return True
    if found.unopened < found.failed:
        return False
    if not found.callee.remote_port:
        return _one_of_its_ports(found)
    if found.fine:
        return False
    if 2 * unanswered.by_other_family(seen, found.callee) >= found.failed:
        return True
    return _seldom_asked(found) and unanswered.others_answer(seen, found.callee)


def _seldom_asked(found: Outcomes) -> bool:
    return found.failed <= SPARE_PER_S * found.seconds + 1


def _one_of_its_ports(found: Outcomes) -> bool:
    """Which is not known; the others are used far more often, and this one at equal intervals, as
    of a proxy that asks whether one of its servers is back."""
    rare = _seldom_asked(found) and found.fine >= OTHER_PORTS * found.failed
    return rare and found.periodic


def _forgotten_steadily(found: Outcomes, limits: Limits) -> bool:
    """A good part of all that they try breaks, again and again, and no FIN told the callers; where
    one did, what is sent after it may be a farewell (PostgreSQL, TLS) as well as a request: as long
    as those that were answered on the same connection it is none."""
    steady = found.moments >= MOMENTS and found.failed >= limits["failures"]
    told = found.sent_after_fin and found.asked_again < ASKED_AGAIN * found.reset
    return steady and not told and found.share >= limits["partly"]


def _callers(seen: Observations, found: Outcomes) -> tuple[list[Process], bool]:
    """Those that were seen to have them; else who has others there, which is less sure."""
    if found.whose.parties:
        return found.whose.processes, not found.whose.held
    return [each.process for each in failed_places.others(seen, [found.callee])], True


RULE = Rule(
    ID,
    5,
    (
        Threshold("failures", 5, "connections to one destination that failed"),
        Threshold("unanswered", 3, "or connects that were given up without an answer"),
        Threshold("share", 0.8, "share of those there that ended or got an answer"),
        Threshold("partly", 0.2, "share from which others than connects are a warning"),
        Threshold("window_s", 30, "seconds within which those count"),
    ),
    find,
    frozenset({Need.TCP_INFO}),
)

"""A destination that does not answer connects, with what is known of it: what words are made of."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from tcptop.analysis.findings import (
    answers_reset,
    icmp,
    kept_back,
    other_ports,
    overlap,
    sources,
    unaccepted,
    unanswered,
)
from tcptop.analysis.findings.answers_reset import AnswersReset
from tcptop.analysis.findings.connects_given_up import GivenUp
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.other_ports import OtherPorts
from tcptop.analysis.findings.overlap import Deserted
from tcptop.analysis.findings.sources import Sources
from tcptop.analysis.findings.unanswered import Unanswered
from tcptop.model import tcp
from tcptop.model.arrays import sorted_unique
from tcptop.model.sample import Process

ICMP = 0.5  # of the attempts, as many unreachables: then they are worth telling
AT_ONCE_S = 1.0  # RFC 8305 asks for 250 ms
LEAST_S = 3.0  # within which they are counted
A_FEW, MOSTLY, FAILED_S = 3, 0.7, 10.0  # that ICMP ended, of a place, within these seconds


class Silent:
    """One destination, and what is known of it."""

    def __init__(self, seen: Observations, case: Unanswered) -> None:
        self.seen, self.case = seen, case
        self.to = unanswered.called(seen, case.callee)
        self.rows = unanswered.asking(seen, case.callee) if self.given else case.rows
        self.hop = unanswered.hop(seen, case)
        self.others = unanswered.answering(seen, case)
        self.here = unanswered.is_here(seen, case.callee)
        self.asks_by = unanswered.asks_by(case.callee)

    @cached_property
    def given(self) -> GivenUp | None:
        """Where more have given up than wait for long, those are what is told."""
        given = self.case.given
        return given if given and given.calls.ended >= len(self.case.rows) else None

    @cached_property
    def noticed(self) -> int:
        """Of those that were given up as many as the kernel told, which sees each."""
        given = self.given
        return unanswered.noticed(self.seen, self.case.callee, given.seconds) if given else 0

    @property
    def ended(self) -> int:
        """How many gave up, as far as that is known."""
        return max(self.noticed, self.given.calls.ended) if self.given else 0

    @property
    def attempts(self) -> int:
        return self.ended + self.given.calls.waiting if self.given else len(self.rows)

    @property
    def as_seen(self) -> str:
        """What follows a number of attempts that looks happened to see."""
        return " seen" if self.given and self.noticed < self.given.calls.ended else ""

    @cached_property
    def other_family(self) -> int:
        """Connections to the same port by the other family, where attempts are given up soon."""
        return unanswered.by_other_family(self.seen, self.case.callee) if self.given else 0

    @property
    def other_family_goes_on(self) -> bool:
        """Whether as many are answered by the other family, and none has waited for long before
        its program went on there: it tries both almost at once (RFC 8305)."""
        soon = self.given is not None and self.case.longest_s < AT_ONCE_S
        return soon and 2 * self.other_family >= self.attempts

    @cached_property
    def processes(self) -> list[Process]:
        holders = self.seen.snapshot.holders
        first = sorted_unique(holders.first(self.rows))
        held = [holders.processes[process] for process in first.tolist() if process >= 0]
        past = self.given.calls.processes if self.given else ()
        return list({(each.pid, each.start_time): each for each in (*past, *held)}.values())

    @cached_property
    def rejected(self) -> float:
        """ICMP unreachables that came in meanwhile, where they are as many as a good part of what
        failed: connect() ends with them, but AttemptFails does not count each."""
        failed = self.given.calls.ended if self.given else len(self.rows)
        return self.unreachables * (self.unreachables >= ICMP * failed or self.others_rejected > 0)

    @cached_property
    def others_rejected(self) -> int:
        """Connects there that failed meanwhile, where as many unreachables came, and no reset: who
        rejects reports it at a limited rate (icmp_ratelimit), so that the others wait."""
        to, seconds = self.case.callee, min(FAILED_S, self.seen.watched_s)
        grown = self.seen.grown(to.netns, "AttemptFails", seconds)
        if self.given or not grown:
            return 0
        ended = unanswered.failed(self.seen, to, seconds)
        counts = sorted((ended, grown[0], icmp.came(self.seen, to.netns, seconds)))
        return ended if ended >= A_FEW and counts[0] >= MOSTLY * counts[-1] else 0

    @cached_property
    def unreachables(self) -> float:
        return icmp.came(self.seen, self.case.callee.netns, self._since_s)

    @property
    def _since_s(self) -> float:
        """As far back as counters are known: many have waited for longer than the watch."""
        return max(min(self.case.since_s, self.seen.watched_s), LEAST_S)

    @cached_property
    def rejected_here(self) -> bool:
        """Whether a filter of this host rejects what was given up."""
        if self.given is None or self.by_icmp:
            return False
        here = kept_back.rejected_here(self.seen, self.case.callee.netns, self.given.seconds)
        return here >= ICMP * self.given.calls.ended

    @cached_property
    def opened(self) -> int:
        """Connects there that were answered meanwhile, as far as they were seen."""
        return unanswered.opened(self.seen, self.case)

    @cached_property
    def elsewhere(self) -> OtherPorts:
        """What was answered at other ports of that address, and has ended since."""
        since_s = max(self.case.since_s, self.case.longest_s)
        return other_ports.answered(self.seen, self.case.callee, since_s)

    @cached_property
    def deserted(self) -> Deserted | None:
        """The device where that host is asked for, if nobody at all is heard there."""
        return overlap.deserted(self.seen, self.case) if self.hop.gone else None

    @cached_property
    def reset(self) -> AnswersReset:
        """Whether this host resets what answers."""
        tried = self.given.attempts if self.given else len(self.rows)
        where = self.seen, self.case.callee.netns, self.rows
        found = answers_reset.answers_reset(*where, tried, self._since_s)
        return found._replace(late=2 * self._round_trip_s >= self.case.longest_s)

    @property
    def _round_trip_s(self) -> float:
        """The longest, by what is open to that address; 0 where nothing is."""
        table = self.seen.table
        rows = unanswered.there(self.seen, self.case.callee, with_port=False)
        rows = rows[table.state[rows] == tcp.ESTABLISHED]
        return float(table.info_of("rtt", rows).max(initial=0)) / 1e6

    @cached_property
    def unaccepted(self) -> int:
        """Connections there that were opened, as far as the other kernel goes, and nothing more."""
        if self.here:
            return 0
        return unaccepted.unaccepted(self.seen, self.case, self.opened)

    @property
    def at_times(self) -> bool:
        """Whether some are answered, by more than a kernel that takes what no program does."""
        return self.opened > 0 and not self.unaccepted

    @cached_property
    def source(self) -> Sources | None:
        """Where it is their own address that those have in common that nobody answers."""
        return sources.apart(self.seen, self.case) if self.opened or self.others.port else None

    @property
    def icmp_or_gone(self) -> bool:
        return self.unreachables > 0 or self.hop.gone

    @property
    def by_icmp(self) -> bool:
        return self.given is not None and self.rejected > 0

    @cached_property
    def failed(self) -> float:
        """Connects of the namespace that the kernel saw fail; what a program closes is none."""
        seconds = self.given.seconds if self.given else 0.0
        grown = self.seen.grown(self.case.callee.netns, "AttemptFails", seconds)
        return grown[0] if grown else np.nan

    @property
    def retried(self) -> bool:
        """Whether what ended was ended by the program: close() in SYN_SENT counts nowhere."""
        given = self.given
        rejected = self.rejected or self.rejected_here
        return given is not None and not rejected and self.failed < given.calls.ended / 2

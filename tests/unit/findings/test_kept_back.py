"""packets-rejected: what this host keeps back of what it sends itself, and who is not to blame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from tcptop.model.finding import Finding
from tcptop.model.sample import Deaths
from tests.unit.findings.counting import counters
from tests.unit.findings.hosts import steadily
from tests.unit.findings.watched import Findings, of, watch
from tests.unit.prepared import CURL, NETNS, NGINX, TAKEN_AT, Row, owners, socket, table

ID = "packets-rejected"
TO = "10.0.0.9:5432"
NONE = {"ActiveOpens": 10, "AttemptFails": 0, "OutRsts": 0, "TCPRetransFail": 0}
NONE |= {"TCPSynRetrans": 0, "InDestUnreachs": 0, "OutDestUnreachs": 0}
NONE |= {"OutRequests": 20, "OutTransmits": 20}
REJECTED = {"OutTransmits": 10, "InDestUnreachs": 10, "OutDestUnreachs": 10}
DROPPED = {"OutTransmits": 10, "TCPSynRetrans": 5, "TCPRetransFail": 5}
REFUSED = {"AttemptFails": 10, "OutRsts": 10}


def over(number: int, segs_in: int, to: str = TO) -> tuple[Deaths]:
    """Ten connects that failed in the last second."""
    info = {"segs_out": 1, "segs_in": segs_in, "min_rtt": 0xFFFF_FFFF}
    row = socket("CLOSE", "10.0.0.1:40000", to, info=info)
    some = table(row | {"cookie": 10_000 * (number + 1) + n} for n in range(10 if number else 0))
    return (Deaths(NETNS, some, np.full(len(some), TAKEN_AT + number)),)


def seen(
    per_s: dict[str, int], segs_in: int = 0, rows: Sequence[Row] = (), to: str = TO
) -> Findings:
    owned = owners(*((row["inode"], CURL, row["inode"]) for row in rows if row["inode"]))
    return watch(
        8,
        lambda _: rows,
        kernel=steadily(**(NONE | per_s)),
        deaths=lambda number: over(number, segs_in, to),
        owners=owned,
    )[-1]


def told(every: Findings) -> Finding | None:
    return next((each for each in of(every, ID) if each.key.endswith("/out")), None)


@pytest.mark.parametrize(
    ("per_s", "segs_in", "title"),
    [
        (REJECTED, 0, f"This host rejects its own packets to {TO}: 50 connects within 5 s failed"),
        (DROPPED, 0, f"This host drops its own packets to {TO}: 50 connects within 5 s failed"),
        (REFUSED, 1, f"This host refuses its own connects to {TO}: 50 connects within 5 s failed"),
    ],
)
def test_it_is_told_and_the_called_host_is_not_accused(
    per_s: dict[str, int], segs_in: int, title: str
) -> None:
    every = seen(per_s, segs_in)
    finding = told(every)
    assert finding is not None
    assert finding.title == title
    assert finding.subject.destination == TO
    assert "The called host" in finding.advice
    assert all(each.because for each in every if each.key != finding.key)
    assert finding.values == {"kept_back": 50, "connects": 50, "stuck": 0}


def test_what_follows_from_it_does_not_contradict_it() -> None:
    """Connects that this host rejects at once have an answer: its own ICMP."""
    (effect,) = of(seen(REJECTED), "destination-failing")
    assert effect.because
    assert effect.severity == "critical"
    assert (
        effect.title == f"All 80 connects to {TO} within 8 s failed: this host rejects them itself"
    )
    assert "in vain: 80 rejected by this host itself." in effect.evidence[0]
    (dropped,) = of(seen(DROPPED), "destination-failing")
    assert dropped.title == f"All 80 connects to {TO} within 8 s got no answer"


@pytest.mark.parametrize(
    ("per_s", "segs_in"),
    [
        ({}, 0),  # the network, or that host
        ({"InDestUnreachs": 10, "OutDestUnreachs": 10}, 0),  # no neighbour: past the filters
        ({"OutTransmits": 10}, 0),  # IPsec counts twice
        ({"OutTransmits": 10, "TCPSynRetrans": 5, "TCPRetransFail": 1}, 0),  # others do leave
        ({**REJECTED, "OutTransmits": 20, "ForwDatagrams": 0}, 0),
        ({"AttemptFails": 10}, 1),  # the other end refuses
        ({"AttemptFails": 10, "OutRsts": 30}, 1),  # this host refuses others, too
        ({**REJECTED, "NoPorts": 10, "OutTransmits": 18}, 0),  # less than failed
    ],
)
def test_where_it_is_not_so_it_is_not_said(per_s: dict[str, int], segs_in: int) -> None:
    assert told(seen(per_s, segs_in)) is None


def stuck(number: int, **info: int) -> Row:
    """A request waits that this host does not let out: ss writes timer:(persist,…) backoff:5."""
    known = {"snd_wnd": 64_000, "snd_mss": 1448, "backoff": 5, "rto": 204_000, "unacked": 0}
    known |= {"last_ack_recv": 12_000, "last_data_recv": 12_000, "bytes_acked": 121} | info
    row = socket("ESTABLISHED", f"10.0.0.1:{41_000 + number}", TO, info=known, timer=4)
    return row | {"send_q": 60, "inode": number, "cookie": number, "expires": 3000}


def test_open_connections_that_cannot_send_prove_it() -> None:
    finding = told(seen({"OutTransmits": 10}, rows=[stuck(n) for n in (1, 2, 3)]))
    assert finding is not None
    assert finding.values["stuck"] == 3
    assert "On 3 connections what waits in Send-Q has never left" in " ".join(finding.evidence)
    assert "drops its own packets to 10.0.0.9:5432 (curl)" in finding.title
    for unlike in ({"snd_wnd": 100}, {"unacked": 1}, {"backoff": 1}):
        assert told(seen({"OutTransmits": 10}, rows=[stuck(n, **unlike) for n in (1, 2)])) is None


def test_what_is_refused_by_an_address_of_this_host_is_no_matter_of_nat() -> None:
    own = socket("LISTEN", "10.0.0.9:80", inode=0)
    assert told(seen(REFUSED, 1, rows=[own])) is None


HALF_OPEN = [
    socket("SYN_RECV", "10.0.0.1:8080", f"10.0.0.7:{5000 + n}", cookie=50 + n)
    | {"inode": 0, "timer": 1, "expires": 500}
    for n in range(12)
]
# Each client asks again after a second; each answer is tried twice.
OWN_FILTER = {"OutRequests": 24, "OutTransmits": 0, "TCPTimeouts": 12, "TCPSynRetrans": 0}


@pytest.mark.parametrize(
    ("rows", "counted", "severity"),
    [
        (HALF_OPEN, {}, "critical"),
        (HALF_OPEN[:4], {}, "warning"),
        (HALF_OPEN[:2], {}, None),
        (HALF_OPEN, {"OutTransmits": 24}, None),  # they leave, and the clients are slow
        (HALF_OPEN, {"TCPSynRetrans": 12}, None),  # they leave, and are lost on the way
        ([row | {"retrans": 2} for row in HALF_OPEN], {}, None),
        ([*HALF_OPEN, socket("ESTABLISHED", "10.0.0.1:8080", "10.0.0.8:6000")], {}, None),
    ],
)
def test_a_server_whose_own_filter_drops_its_answers(
    rows: list[Row], counted: dict[str, float], severity: str | None
) -> None:
    listener = socket("LISTEN", "0.0.0.0:8080", inode=1, send_q=128, cookie=7)
    known = counters({"InSegs": 12, **OWN_FILTER, **counted})
    # Who has a connection there came a moment ago.
    late = lambda n: [listener, *(rows if n > 2 else rows[:12])]  # noqa: E731
    every = watch(7, late, owners=owners((1, NGINX, 6)), kernel=known)[-1]
    found = [each for each in of(every, "packets-rejected") if each.key.endswith("syn-acks")]
    assert [each.severity for each in found] == ([severity] if severity else [])
    for each in found:
        assert each.subject.listener == "0.0.0.0:8080"
        assert "nobody gets a connection to nginx on :8080" in each.title

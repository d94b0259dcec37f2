"""requests-unanswered at the server: clients that gave up before it answered."""

from __future__ import annotations

import numpy as np
import pytest

from tcptop.model.finding import Finding
from tcptop.model.sample import Deaths
from tests.unit.findings.watched import of, watch
from tests.unit.prepared import NETNS, NGINX, TAKEN_AT, Row, owners, socket, table

PATIENCE_S = 4


def client(born: int, number: int) -> Row:
    """It asks as it is born, and leaves four seconds later, with nothing answered."""
    age = number - born
    left = age > PATIENCE_S
    info = {"data_segs_in": 1, "bytes_received": 80, "last_data_recv": 1000 * age + 1}
    info |= {"last_data_sent": 1000 * age + 2, "last_ack_recv": 1000 * (age - PATIENCE_S * left)}
    ends = ("10.0.0.1:8080", f"10.0.0.7:{5000 + born}")
    state = "CLOSE_WAIT" if left else "ESTABLISHED"
    return socket(state, *ends, inode=100 + born, cookie=100 + born, info=info, recv_q=int(left))


def over(number: int, acked: int) -> tuple[Deaths, ...]:
    """One a second that is answered, of which so many bytes have been acknowledged."""
    info = {"data_segs_in": 1, "data_segs_out": 1, "bytes_sent": 200, "bytes_acked": acked}
    info |= {"bytes_received": 81, "segs_in": 4, "segs_out": 4, "rtt": 40, "min_rtt": 40}
    ends = ("10.0.0.1:8080", f"10.0.0.7:{6000 + number}")
    some = table([socket("CLOSE", *ends, cookie=900 + number, info=info)])
    return (Deaths(NETNS, some, np.full(1, TAKEN_AT + number - 0.5)),)


def told(acked: int) -> Finding:
    def rows(number: int) -> list[Row]:
        listener = socket("LISTEN", "0.0.0.0:8080", inode=1, cookie=1, send_q=128)
        return [listener, *(client(born, number) for born in range(number + 1))]

    held = owners((1, NGINX, 3), *((100 + n, NGINX, 10 + n) for n in range(13)))
    every = watch(12, rows, owners=held, deaths=lambda number: over(number, acked))
    (finding,) = (each for each in of(every[-1], "requests-unanswered") if "gave" in each.title)
    return finding


@pytest.mark.parametrize(
    ("acked", "answered"),
    [
        (201, 12),
        (0, 0),  # written to those that had gone before: a reset came back
    ],
)
def test_an_answer_that_nobody_takes_is_none(acked: int, answered: int) -> None:
    finding = told(acked)
    assert finding.values["answered"] == pytest.approx(answered, abs=1)
    assert ("all" in finding.title) is (answered == 0)
    silence = "No other connection there got anything meanwhile."
    assert (silence in finding.evidence) is (answered == 0)

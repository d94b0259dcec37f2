"""resets: many, a share of the openings, steady; not bursts and not health checks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from tcptop.analysis.findings.settings import FindingSettings
from tcptop.model.sample import Deaths, Kernel
from tests.unit.findings.hosts import rising, steadily
from tests.unit.findings.watched import ids, of, watch
from tests.unit.prepared import CURL, NETNS, NGINX, TAKEN_AT, Row, mini, owners, socket, table

ID = "resets"
NONE = {"AttemptFails": 0, "EstabResets": 0, "ActiveOpens": 0, "PassiveOpens": 0}

UNREAD = {"EstabResets": 20, "PassiveOpens": 40, "TCPAbortOnClose": 20, "OutRsts": 20}


def fired(kernel: Callable[[int], tuple[Kernel]], seconds: int = 8, step: float = 1) -> list[bool]:
    found = watch(seconds, lambda _: [], step=step, kernel=kernel)
    return [ID in ids(each) for each in found]


def test_it_needs_five_seconds() -> None:
    refused = steadily(**NONE | {"AttemptFails": 20, "ActiveOpens": 20})
    assert fired(refused) == [False] * 5 + [True] * 4


@pytest.mark.parametrize(
    "counters",
    [
        {"EstabResets": 10, "PassiveOpens": 20},
        {"EstabResets": 20, "PassiveOpens": 400},  # an edge server's normal share
        {"EstabResets": 30, "ActiveOpens": 30, "TCPAbortOnData": 30},  # health checks of ours
        {"AttemptFails": 30, "EmbryonicRsts": 30, "PassiveOpens": 5},  # half-open checks of others
        {},
    ],
)
def test_not(counters: dict[str, int]) -> None:
    assert not any(fired(steadily(**NONE | counters)))


def test_a_server_that_resets_its_clients_is_found() -> None:
    kernel = steadily(**NONE | {"EstabResets": 30, "PassiveOpens": 30, "TCPAbortOnData": 30})
    assert fired(kernel)[-1]


@pytest.mark.parametrize(("sent", "theirs"), [(1, True), (12, False), (20, False)])
def test_the_other_end_is_not_named_where_both_may_be_here(sent: int, theirs: bool) -> None:
    """haproxy's reloads on loopback: each reset counts at both ends, and one OutRsts."""
    kernel = steadily(**NONE | {"EstabResets": 30, "ActiveOpens": 40, "OutRsts": sent})
    (finding,) = of(watch(6, lambda _: [], kernel=kernel)[-1], ID)
    assert ("came from the other end" in "".join(finding.evidence)) is theirs


AT_ONCE = {"PassiveOpens": 20, "TCPAbortOnData": 16, "OutRsts": 20}


def test_data_after_close_is_a_reset_that_estabresets_does_not_count() -> None:
    rows = [socket("LISTEN", "0.0.0.0:8081", inode=1)]
    held = owners((1, NGINX, 3))
    kernel = steadily(**NONE | AT_ONCE)
    (finding,) = of(watch(6, lambda _: rows, owners=held, kernel=kernel)[-1], ID)
    assert finding.severity == "warning"
    assert finding.title == "16 connections/s end in a reset, apparently mostly on :8081 (nginx)"
    assert "16/s got data after they had been closed here" in "".join(finding.evidence)
    assert "worker_connections" in finding.advice
    assert "SO_LINGER" not in finding.advice


def test_so_linger_0_is_not_counted_twice() -> None:
    kernel = steadily(**NONE | AT_ONCE | {"EstabResets": 16})
    (finding,) = of(watch(6, lambda _: [], kernel=kernel)[-1], ID)
    assert finding.title == "16 connections/s end in a reset"
    assert "SO_LINGER 0" in finding.advice


def test_a_client_that_hangs_up_while_an_answer_comes_harms_nobody() -> None:
    assert severities({"ActiveOpens": 20, "TCPAbortOnData": 20}) == ["info"]


def pool(number: int) -> list[Row]:
    """40 new ones each second, each of which is open for one or two, as gunicorn lets them."""
    return [
        socket("ESTABLISHED", f"10.0.0.1:{20_000 + n}", "10.0.0.9:80", inode=n, cookie=n)
        for n in range(1 + 40 * max(number - 1, 0), 1 + 40 * number)
    ]


def idle(_: int) -> list[Row]:
    """Open all the time, beside those that are reset."""
    return [
        socket("ESTABLISHED", f"10.0.0.1:{20_000 + n}", "10.0.0.9:80", inode=n, cookie=n)
        for n in range(1, 301)
    ]


@pytest.mark.parametrize(
    ("resets", "rows", "young"),
    [
        (40, lambda _: [], True),
        (16, lambda _: [], True),  # others end well: none was open before
        (40, pool, False),
        (40, idle, True),
        (16, idle, False),  # those 300, maybe, one after the other
    ],
)
def test_what_dies_young_does_so_by_no_idle_timeout(
    resets: int, rows: Callable[[int], list[Row]], young: bool
) -> None:
    kernel = steadily(**NONE | {"EstabResets": resets, "ActiveOpens": 40})
    (finding,) = of(watch(8, rows, kernel=kernel)[-1], ID)
    assert ("so it is no idle timeout" in finding.advice) is young
    assert ("idle timeout shorter than the server's" in finding.advice) is not young
    assert ("do not last" in "".join(finding.evidence)) is young


def test_no_destination_is_named_where_most_end_well() -> None:
    kernel = steadily(**NONE | {"EstabResets": 20, "ActiveOpens": 100})
    row = socket("ESTABLISHED", "10.0.0.1:40001", "10.0.0.9:80", inode=1)
    found = watch(6, lambda n: [row | {"cookie": n + 1}], kernel=kernel)
    (finding,) = of(found[-1], ID)
    assert finding.title == "20 connections/s end in a reset"
    assert finding.subject.destination is None


def test_unknown_counters_are_no_trouble() -> None:
    assert not any(fired(steadily(EstabResets=100, AttemptFails=100)))


def test_a_burst_when_a_program_ends_is_none() -> None:
    def total(number: int) -> dict[str, int]:
        return NONE | {"EstabResets": 500 if number >= 4 else 0, "PassiveOpens": number}

    assert not any(fired(rising(total), 12))
    assert not any(fired(rising(total), 12, step=5))


def test_slow_looks() -> None:
    assert fired(steadily(**NONE | {"AttemptFails": 100, "ActiveOpens": 100}), 4, step=5)[-1]


def test_it_names_where_most_new_connections_go() -> None:
    def rows(number: int) -> list[Row]:
        cookie = 10_000 + number * 10
        return [
            socket(
                "ESTABLISHED", f"10.0.0.1:{40000 + n}", "10.0.0.9:80", inode=n, cookie=cookie + n
            )
            for n in range(1, 5)
        ]

    held = owners(*((n, CURL, n) for n in range(1, 5)))
    kernel = steadily(**NONE | {"EstabResets": 20, "ActiveOpens": 40})
    (finding,) = of(watch(6, rows, owners=held, kernel=kernel)[-1], ID)
    assert finding.title.endswith("end in a reset, apparently mostly to 10.0.0.9:80 (curl)")
    assert finding.subject.pids == (CURL.pid,)
    assert finding.subject.destination == "10.0.0.9:80"


def test_a_server_is_named_by_its_listener() -> None:
    rows = [socket("LISTEN", "0.0.0.0:8080", inode=1)]
    kernel = steadily(**NONE | UNREAD)
    found = watch(6, lambda _: rows, owners=owners((1, CURL, 3)), kernel=kernel)
    (finding,) = of(found[-1], ID)
    assert finding.severity == "warning"
    assert "Read requests to their end" in finding.advice
    assert finding.title == "20 connections/s end in a reset, apparently mostly on :8080 (curl)"
    assert finding.subject.pids == (CURL.pid,)


def severities(counters: dict[str, int], rows: Sequence[Row] = ()) -> list[str]:
    kernel = steadily(**NONE | counters)
    return [each.severity for each in of(watch(8, lambda _: rows, kernel=kernel)[-1], ID)]


@pytest.mark.parametrize(
    ("counters", "severity"),
    [
        ({"EstabResets": 30, "PassiveOpens": 30}, "info"),  # checks that have their answer
        ({"EstabResets": 30, "PassiveOpens": 40, "ActiveOpens": 5}, "info"),  # a proxy's
        ({"EstabResets": 30, "PassiveOpens": 40, "ActiveOpens": 35}, "warning"),  # or back ends'
        ({"EstabResets": 30, "PassiveOpens": 30, "TCPAbortOnClose": 30}, "warning"),
        ({"EstabResets": 30, "ActiveOpens": 30}, "warning"),  # the server resets
        ({"EstabResets": 30, "ActiveOpens": 30, "TCPAbortOnClose": 30}, "info"),  # we do
    ],
)
def test_who_called_may_reset(counters: dict[str, int], severity: str) -> None:
    assert severities(counters) == [severity]


def test_what_the_clients_do_is_not_the_server_s_to_mend() -> None:
    kernel = steadily(**NONE | {"EstabResets": 30, "PassiveOpens": 30})
    rows = [socket("LISTEN", "0.0.0.0:80", inode=1)]
    (finding,) = of(watch(8, lambda _: rows, owners=owners((1, CURL, 3)), kernel=kernel)[-1], ID)
    assert finding.title == (
        "30 connections/s are reset by the clients that opened them, apparently mostly on :80 "
        "(curl)"
    )
    assert "SO_LINGER" not in finding.advice
    assert "Health checks" in "".join(finding.evidence)


ENDS = ("127.0.0.1:40001", "127.0.0.1:3000")
REFUSED = {"AttemptFails": 20, "OutRsts": 20, "ActiveOpens": 40, "PassiveOpens": 20}


def localhost(number: int, listener: str) -> list[Row]:
    """30 connections a second to 127.0.0.1:3000 are answered, and over at once."""
    ends = [(f"127.0.0.1:{35_000 + number * 30 + n}", ENDS[1]) for n in range(30)]
    over = [mini("TIME_WAIT", *e, expires=59_500, cookie=1000 * number + n)
            for n, e in enumerate(ends)]  # fmt: skip
    return [socket("LISTEN", listener, inode=1, cookie=7), *over]


@pytest.mark.parametrize(
    ("listener", "refused"),
    [
        ("127.0.0.1:3000", "[::1]:3000"),
        ("0.0.0.0:3000", "[::1]:3000"),
        ("[::1]:3000", "127.0.0.1:3000"),
        ("10.0.0.1:3000", "[::1]:3000"),
    ],
)
def test_this_host_refuses_where_only_part_of_localhost_is_listened_on(
    listener: str, refused: str
) -> None:
    kernel = steadily(**NONE | REFUSED)
    held = owners((1, CURL, 3))
    found = watch(8, lambda n: localhost(n, listener), owners=held, kernel=kernel)
    (finding,) = of(found[-1], ID)
    both = f"{refused} or 127.0.0.1:3000" if listener.startswith("10.") else refused
    assert finding.title == (
        f"This host itself refuses 20 connects/s: nothing listens on {both}, {listener} does"
    )
    assert finding.subject.destination == refused
    assert f"Listening on that port: only {listener} (curl)." in finding.evidence[2]
    assert "Start the service" not in finding.advice


def test_a_listener_that_takes_all_of_localhost_is_not_blamed() -> None:
    kernel = steadily(**NONE | REFUSED)
    rows = [socket("LISTEN", "127.0.0.1:5432"), socket("LISTEN", "[::]:3000")]
    found = watch(8, lambda n: [*rows, *localhost(n, "[::]:3000")[1:]], kernel=kernel)
    (finding,) = of(found[-1], ID)
    assert finding.title == "This host itself refuses 20 connects/s"
    assert finding.subject.destination is None
    assert "by only one of its addresses: 127.0.0.1:5432." in finding.evidence[-1]
    assert "Start the service" in finding.advice


def test_another_host_refuses_where_none_of_the_resets_are_ours() -> None:
    kernel = steadily(**NONE | REFUSED | {"OutRsts": 1})
    found = watch(8, lambda n: localhost(n, "127.0.0.1:3000"), kernel=kernel)
    (finding,) = of(found[-1], ID)
    assert finding.title == "20 connects/s fail, most of them refused"
    assert "3000" not in "".join(finding.evidence)  # those are answered


def test_icmp_says_so_too() -> None:
    kernel = steadily(**NONE | {"AttemptFails": 20, "ActiveOpens": 20, "InDestUnreachs": 20})
    (finding,) = of(watch(8, lambda _: [], kernel=kernel)[-1], ID)
    assert finding.title == "20 connects/s fail with ICMP unreachable"
    assert "refused" not in finding.title


def test_within_a_host_both_ends_count() -> None:
    ends = ("127.0.0.1:40001", "127.0.0.1:8080")
    rows = [socket("ESTABLISHED", *ends, inode=1), socket("ESTABLISHED", *reversed(ends), inode=2)]
    kernel = steadily(**NONE | {"EstabResets": 18, "ActiveOpens": 9, "PassiveOpens": 9})
    assert not any(ID in ids(each) for each in watch(8, lambda _: rows, kernel=kernel))


def test_thresholds() -> None:
    settings = FindingSettings({ID: {"per_s": 1, "share": 0.5, "window_s": 2}})
    kernel = steadily(**NONE | {"AttemptFails": 2, "ActiveOpens": 3})
    assert ID in ids(watch(3, lambda _: [], settings, kernel=kernel)[-1])


def reset_at(local: str, remote: str, number: int, per_s: int = 20) -> tuple[Deaths]:
    """So many that ended in a reset before sample `number`; a client's has its SYN acknowledged,
    and nothing else."""
    called = local.endswith(":0")
    info = {"segs_out": 5, "segs_in": 5, "rtt": 250, "bytes_acked": int(called)}
    ends = [f"{local[:-2]}:{40_000 + n}" if called else local for n in range(per_s)]
    cookies = (1000 * number + n for n in range(per_s))
    dead = table(
        socket("CLOSE", near, remote, info=info, cookie=cookie)
        for near, cookie in zip(ends, cookies, strict=True)
    )
    return (Deaths(NETNS, dead, np.full(per_s, TAKEN_AT + number - 0.5)),)


def test_the_kernel_tells_which_connections_were_reset() -> None:
    """But not whose they were: who has others to the same place need not be who is reset."""
    innocent = socket("ESTABLISHED", "10.0.0.1:40001", "10.0.0.7:80", inode=1)
    talking = socket("ESTABLISHED", "10.0.0.1:40002", "10.0.0.9:5432", inode=2, cookie=2)
    every = watch(
        8,
        lambda _: [innocent, talking],
        owners=owners((1, CURL, 3), (2, NGINX, 4)),
        kernel=steadily(**NONE | {"EstabResets": 20, "ActiveOpens": 20}),
        deaths=lambda number: reset_at("10.0.0.1:0", "10.0.0.9:5432", number),
    )
    (finding,) = of(every[-1], ID)
    assert finding.title.endswith("end in a reset, mostly to 10.0.0.9:5432")
    assert finding.subject.destination == "10.0.0.9:5432"
    assert finding.subject.pids == ()
    assert (
        "100 connections that ended in a reset in the last 5 s: all of them to 10.0.0.9:5432"
        in (" ".join(finding.evidence))
    )


def test_where_both_ends_are_here_the_server_is_named() -> None:
    """And what is open there is none of those that were reset."""
    ends = ("127.0.0.1:40001", "127.0.0.1:6379")
    rows = [
        socket("LISTEN", "127.0.0.1:6379", inode=2, cookie=1),
        socket("ESTABLISHED", *ends, inode=1, cookie=2),
        socket("ESTABLISHED", *reversed(ends), inode=3, cookie=3),
    ]

    def both(number: int) -> tuple[Deaths, ...]:
        called = reset_at("127.0.0.1:0", "127.0.0.1:6379", 2 * number)
        return (*called, *reset_at("127.0.0.1:6379", "127.0.0.1:41000", 2 * number + 1))

    kernel = steadily(
        **NONE | {"EstabResets": 40, "ActiveOpens": 20, "PassiveOpens": 20, "TCPAbortOnClose": 20}
    )
    held = owners((1, CURL, 3), (2, NGINX, 4), (3, NGINX, 5))
    (finding,) = of(watch(8, lambda _: rows, owners=held, kernel=kernel, deaths=both)[-1], ID)
    assert "mostly on :6379 (apparently nginx)" in finding.title
    assert finding.subject.listener == "127.0.0.1:6379"
    assert finding.subject.pids == (NGINX.pid,)
    assert finding.subject.over
    assert "worker_connections" in finding.advice
    assert "tcp_abort_on_overflow" not in finding.advice


@pytest.mark.parametrize(
    ("pool", "title"),
    [
        ("127.0.0.1", "15 connections/s end in a reset, mostly on :3031 (apparently nginx)"),
        ("10.0.0.7", "30 connections/s end in a reset"),  # clients there, whose resets count once
    ],
)
def test_both_ends_are_here_of_what_is_reset_whoever_else_calls(pool: str, title: str) -> None:
    """A front that is called from outside, and the back end that resets it."""
    rows = [
        socket("LISTEN", "127.0.0.1:3031", inode=2, cookie=1),
        *(mini("TIME_WAIT", "10.0.0.1:80", f"10.0.0.2:{5000 + n}", cookie=50 + n)
          for n in range(20)),
    ]  # fmt: skip

    def both(number: int) -> tuple[Deaths, ...]:
        called = reset_at(f"{pool}:0", f"{pool}:3031", 2 * number, 15)
        return (*called, *reset_at(f"{pool}:3031", f"{pool}:41000", 2 * number + 1, 15))

    counted = {"EstabResets": 30, "ActiveOpens": 15, "PassiveOpens": 30, "OutRsts": 15}
    kernel = steadily(**NONE | counted | {"TCPAbortOnClose": 15})
    held = owners((2, NGINX, 4))
    (finding,) = of(watch(8, lambda _: rows, owners=held, kernel=kernel, deaths=both)[-1], ID)
    assert finding.title.startswith(title)
    if pool == "127.0.0.1":
        assert finding.severity == "warning"
        assert "Read requests to their end" in finding.advice


def test_of_two_listeners_the_one_whose_connections_are_reset_is_named() -> None:
    rows = [
        socket("LISTEN", "0.0.0.0:8080", inode=2),
        socket("LISTEN", "0.0.0.0:9090", inode=1),
        socket("ESTABLISHED", "10.0.0.1:9090", "10.0.0.7:1234", inode=3),
    ]
    every = watch(
        8,
        lambda _: rows,
        owners=owners((1, CURL, 3), (2, NGINX, 4)),
        kernel=steadily(**NONE | {"EstabResets": 20, "PassiveOpens": 20, "TCPAbortOnClose": 20}),
        deaths=lambda number: reset_at("10.0.0.1:8080", "10.0.0.7:51000", number),
    )
    (finding,) = of(every[-1], ID)
    assert "mostly on :8080 (apparently nginx)" in finding.title
    assert finding.subject.listener == "0.0.0.0:8080"

"""What expressions select, over prepared sockets: every predicate, known and unknown."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcptop.analysis.filter import Facts, parse, select, state_mask
from tests.unit.filter_facts import ENDPOINTS, MINIS, NETNS, ROWS, chosen, process, table
from tests.unit.filter_text import to_text
from tests.unit.prepared import Row, mini, sample, selected, socket

CASES: tuple[tuple[str, set[int]], ...] = (
    ("", ROWS),
    ("state established", {1, 4, 5}),
    ("state listening state time-wait", {0, 2, 3}),
    ("exclude connected", {0, 3}),
    ("state bound-inactive", set()),
    ("not state listen", ROWS - {0, 3}),
    ("sport = 80", {0, 1, 9}),
    ("sport != 80", ROWS - {0, 1, 9}),
    ("dport = https", {2, 5}),
    ("dport < 100", {0, 3, 6, 7}),  # a listener's peer has port 0
    ("sport >= 45001 sport <= 50000", {2, 6, 7}),
    (":443", {2, 3, 4, 5}),
    ("port = 25,8000-8010", {6, 8}),
    ("port != 443", ROWS - {2, 3, 4, 5}),
    ("port > 60000", {8}),
    ("sport = *", ROWS),
    ("src 10.0.0.1", {1, 2, 4, 6, 7, 9}),  # a mapped address is that IPv4 address
    ("dst 10.0.0.0/24", {1, 4, 7, 9}),
    ("dst 10.0.0.0/24:443,192.0.2.1", {6}),
    ("src [::ffff:10.0.0.1]", {4}),
    ("src [fe80::]/10", {5}),
    ("src [::]", {3}),
    ("src 0.0.0.0", {0}),
    ("dst *:443", {2, 5}),
    ("dst both.test", {1, 5, 7, 9}),
    ("dst inet6:both.test", {5}),
    ("src inet:* or sport = 443", {0, 1, 2, 6, 7, 8, 9}),
    ("src unix:/run/x", set()),
    # ss compares bytes whatever the family too, which shows only under `not` and beside `dev`.
    ("not src 0.0.0.0", ROWS - {0, 3, 4}),
    ("not dst 0.0.0.0/0", set()),
    ("src [::] dev != nosuch", {0, 3}),
    ("dev eth0", {5, 8}),
    ("dev = 1", {8}),
    ("dev != eth0", ROWS - {5, 8}),
    ("autobound", {2, 5, 6, 7, 8}),
    ("fwmark = 0x11", {1}),
    ("fwmark = 0x1/0xf", {1, 4}),
    ("fwmark != 0/0xf", {1, 4}),
    ("cgroup = /system.slice/nginx.service", {1}),
    ("cgroup system.slice/nginx.service", {1}),
    ("cgroup /sys/fs/cgroup/user.slice/", {4}),
    ("cgroup = *nginx*", {1}),
    ("cgroup != /user.slice", ROWS - {4}),
    ("pid = 10", {0, 1}),
    ("pid = 11,12", {1, 4}),
    ("pid != 10", {4}),
    ("not pid = 10", ROWS - {0, 1}),
    ("pid > 10", {1, 4}),
    ("process = NGINX", {0, 1}),
    ("process = ngin", set()),
    ('process "worker one"', {1}),
    ("process = *n*", {0, 1}),
    ("process != nginx", {4}),
    ("process = leaky*", {1}),  # the label is a name too
    ("command = *leaky.py", {1}),
    ("command = leaky.py", set()),
    ("command != *leaky.py", set()),  # of the others it is not known
    ("unit = nginx.service", {0, 1}),
    ("unit != nginx.service", {4}),
    ("container = docker", {4}),
    ("container = 4f1c*", {4}),
    ("nginx", {0, 1}),
    ("NGIN", {0, 1}),
    ("leaky", {1}),
    ("/srv/leaky", {1}),
    ('"worker o"', {1}),
    ("docker or leaky", {1, 4}),
    ("f1c", {4}),
    ("not nginx", ROWS - {0, 1}),
    ("leaky.py and state established", {1}),
    ("state established leaky.py", {1}),
    ("(nginx or docker) and dport > 1", {1, 4}),
    ("user = alice,www-*", {1, 4, 5}),
    ("user 1000", {1, 5}),
    ("user root", {0, 3, 6, 8}),
    ("user != root", {1, 4, 5}),
    ("not user = root", {1, 4, 5, *MINIS}),
    ("netns = blue", {8}),
    (f"netns {NETNS}", ROWS - {8}),
    ("netns != blue", ROWS - {8}),
    ("recvq > 2k", {4}),
    ("sendq >= 64k", {5}),
    ("fill >= 80%", {0}),
    ("fill = 50", {3}),
    ("fill < 80", {3}),
    ("drops > 0", {0, 4}),
    ("drops = 0", ROWS - {0, 4, *MINIS}),
    ("age >= 10s", {1}),
    ("not age >= 10s", ROWS - {1}),
    ("idle >= 350s", {1, 5}),
    ("idle <= 10s", {4, 8}),
    ("idle >= 0", {1, 4, 5, 8}),
    ("rtt >= 100ms", {1, 4}),
    ("rtt < 100ms", {5}),
    ("rtt >= 0", {1, 4, 5}),
    ("retrans > 0", {5, 6}),
    ("retrans = 0", ROWS - {5, 6, 2, 7}),
    ("backoff > 1", {5}),
    ("backoff = 0", ROWS - {5, *MINIS}),
    ("timer = persist,on", {5, 6, 9}),
    ("timer = timewait", {2, 7}),
    ("timer = none", {0, 1, 3, 4}),
    ("timer != none", ROWS - {0, 1, 3, 4}),
    ("keepalive = on", {8}),
    ("keepalive = off", {1, 4}),
    ("keepalive = unknown", ROWS - {1, 4, 8}),
    ("owner = process", {0, 1}),
    ("owner = accept-queue,process", {0, 1, 4}),
    ("owner != unknown", {0, 1, 4}),
    ("state established and (user alice or user www-data) and not dst 10.0.0.2", {4, 5}),
)


@pytest.mark.parametrize(("text", "rows"), CASES)
def test_what_a_filter_selects(text: str, rows: set[int]) -> None:
    assert chosen(text) == rows
    assert chosen(to_text(parse(text))) == rows


_terms = st.recursive(
    st.sampled_from([text for text, _ in CASES if text]),
    lambda inner: st.one_of(
        st.builds("({}) {} ({})".format, inner, st.sampled_from(["and", "or", ""]), inner),
        inner.map("not ({})".format),
    ),
    max_leaves=5,
)


@given(_terms)
def test_text_says_the_same_as_the_expression(text: str) -> None:
    expression = parse(text)
    assert chosen(to_text(expression)) == chosen(expression)


@given(_terms)
def test_no_row_outside_the_mask_is_selected(text: str) -> None:
    expression = parse(text)
    mask = state_mask(expression)
    assert mask is None or all(mask >> ENDPOINTS[row][1] & 1 for row in chosen(expression))


def test_all_is_unknown_where_nothing_is_said() -> None:
    known = Facts(table())
    for text in ("pid > 0", "process = *", "age >= 0", "cgroup = *", "autobound", "dev lo"):
        assert not select(parse(text), known).any(), text
        assert select(parse(f"not {text}"), known).all(), text
    assert select(parse("owner = unknown"), known).all()


def test_marks_are_unknown_without_the_right_to_see_them() -> None:
    hidden = table()
    hidden.has[:] = 0
    assert not select(parse("fwmark = 0"), Facts(hidden)).any()


@pytest.mark.parametrize("text", ["fill >= 0%", "fill < 80%", "sendq < 1K"])
def test_a_backlog_that_is_not_told_selects_no_listener(text: str) -> None:
    told = sample([socket("LISTEN", "0.0.0.0:80", recv_q=7, send_q=9)])
    untold = sample([socket("LISTEN", "0.0.0.0:80", recv_q=7, send_q=0)], source="procfs")
    assert len(selected(told, filter=text).rows) == 1
    assert not len(selected(untold, filter=text).rows)


def test_users_are_known_without_tcp_info() -> None:
    ends = "10.0.0.1:40001", "10.0.0.9:443"
    bare: Row = {"info": None, "memory": None, "has": 0, "uid": 1000}
    rows = [socket("FIN_WAIT2", *ends, inode=5, **bare), mini("FIN_WAIT2", *ends)]
    found = sample(rows, source="procfs", users={0: "root", 1000: "ann"})
    assert selected(found, filter="user = ann").rows.tolist() == [0]
    assert not len(selected(found, filter="user = root").rows)


def test_an_empty_table() -> None:
    for text in ("", "pid 5", "not src 10.0.0.1", "cgroup a", "fill > 5", "user root"):
        assert len(select(parse(text), Facts())) == 0


def test_the_deepest_filter_that_parses_can_be_evaluated() -> None:
    deep = parse("not " * 140 + "sport 80")
    assert chosen(deep) == chosen("sport 80") == chosen(to_text(deep))
    assert chosen(" ".join(["dport 443 or sport 80 and"] * 70) + " sport 80") == chosen("sport 80")


def test_a_large_table_is_evaluated_by_column() -> None:
    many = 100_000
    rows = np.arange(many) % len(ENDPOINTS)
    names = {pid: process(pid, f"worker-{pid % 50}") for pid in range(4000)}
    held = Facts(table().take(rows), np.arange(many), np.arange(many) % 4000, names)
    assert select(parse("state established"), held).sum() == 3 * many // 10
    assert select(parse("process = worker-7"), held).sum() == many // 50
    assert select(parse("not dst 10.0.0.0/24 and rtt >= 0"), held).sum() == 0

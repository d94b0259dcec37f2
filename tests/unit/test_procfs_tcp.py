"""The parser of /proc/net/tcp and tcp6, on lines as the kernel prints them."""

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcptop.model import tcp
from tcptop.model.address import text
from tcptop.model.table import COLUMNS
from tcptop.sources.proc_net_tcp import parse

pytestmark = pytest.mark.skipif(sys.byteorder != "little", reason="addresses are the host's words")

HEAD = b"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"
LISTEN = (
    b"   0: 0100007F:1F90 00000000:0000 0A 00000000:00000003 00:00000000 00000000"
    b"  1000        0 4711 1 0000000000000000 100 0 0 10 0 \n"
)
RETRANSMITTING = (
    b"  10: 0A00000A:01BB 0101A8C0:C001 01 00000200:00000005 01:0000012C 00000004"
    b"     0        9 4712 2 0000000000000000 20 4 30 10 -1\n"
)
KEEPALIVE = RETRANSMITTING.replace(b"01:0000012C", b"02:0000012C")
TIME_WAIT = (
    b"12345: 0100007F:9C40 0100007F:0050 06 00000000:00000000 03:00001770 00000000"
    b"     0        0 0 3 0000000000000000\n"
)
SIX = (
    b"   1: B80D0120000000000000000001000000:0050 0000000000000000FFFF00000100007F:1234 08"
    b" 00000000:00000001 00:00000000 00000000    33        0 99 1 0000000000000000 20 0 0 10 -1\n"
)


def test_ipv4_rows() -> None:
    table = parse(HEAD + LISTEN + RETRANSMITTING, netns=5)
    assert table.netns.tolist() == [5, 5]
    assert table.state.tolist() == [tcp.LISTEN, tcp.ESTABLISHED]
    assert table.local_port.tolist() == [8080, 443]
    assert table.remote_port.tolist() == [0, 0xC001]
    assert text(int(table.local_hi[1]), int(table.local_lo[1])) == "10.0.0.10"
    assert text(int(table.remote_hi[1]), int(table.remote_lo[1])) == "192.168.1.1"
    assert (table.recv_q.tolist(), table.send_q.tolist()) == ([3, 5], [0, 512])
    assert (table.uid.tolist(), table.inode.tolist()) == ([1000, 0], [4711, 4712])
    assert (table.timer.tolist(), table.expires.tolist()) == ([0, 1], [0, 3000])
    assert table.retrans.tolist() == [0, 4]


def test_keepalive_counts_its_probes() -> None:
    assert parse(KEEPALIVE, 0).retrans.tolist() == [9]


def test_ipv6_rows() -> None:
    table = parse(HEAD + SIX, 0)
    assert table.family.tolist() == [tcp.AF_INET6]
    assert text(int(table.local_hi[0]), int(table.local_lo[0])) == "2001:db8::1"
    assert text(int(table.remote_hi[0]), int(table.remote_lo[0])) == "127.0.0.1"
    assert table.state.tolist() == [tcp.CLOSE_WAIT]


def test_nothing_of_the_attributes_is_known() -> None:
    table = parse(HEAD + LISTEN + TIME_WAIT, 0)
    assert not table.has.any()
    assert not table.info_size.any()
    assert not table.memory_count.any()


def test_identity_stays_from_established_to_time_wait() -> None:
    established = TIME_WAIT.replace(b" 06 ", b" 01 ").replace(b" 0 0 3 ", b" 0 555 3 ")
    rows = parse(established + TIME_WAIT, 0)
    assert rows.inode.tolist() == [555, 0]
    assert rows.cookie[0] == rows.cookie[1]


def test_identity_tells_others_apart() -> None:
    reuse_port = LISTEN.replace(b" 4711 ", b" 4799 ")
    other_port = TIME_WAIT.replace(b":9C40", b":9C41")
    swapped = TIME_WAIT.replace(b"0100007F:9C40 0100007F:0050", b"0100007F:0050 0100007F:9C40")
    table = parse(LISTEN + reuse_port + TIME_WAIT + other_port + swapped + SIX, 0)
    assert len(np.unique(table.cookie)) == len(table) == 6


def test_a_cut_file_gives_whole_rows() -> None:
    data = HEAD + LISTEN + TIME_WAIT
    whole = parse(data, 0)
    for end in range(len(data)):
        table = parse(data[:end], 0)
        for name in COLUMNS:
            expected = getattr(whole, name)[: len(table)]
            assert (getattr(table, name) == expected).all()


@given(st.binary())
def test_other_bytes_are_no_rows(data: bytes) -> None:
    assert len(parse(data, 0)) == 0

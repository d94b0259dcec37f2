"""Dumps of a real kernel decoded, and what is left of them after all kinds of damage."""

import struct
from collections.abc import Iterator
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tcptop.model import tcp
from tcptop.model.address import halves
from tcptop.model.table import COLUMNS, SocketTable, blank
from tcptop.sources import wire
from tcptop.sources.wire import WireError

CAPTURES = {
    name: (Path(__file__).parents[1] / "captures" / f"{name}.bin").read_bytes()
    for name in ("usual", "everything")
}
SEQ = 7
SIZES = (104, 120, 136, 144, 160, 168, 192, 200, 224, 232, 240, 248)  # of older kernels


def messages(data: bytes) -> list[bytes]:
    """The messages of an intact capture."""
    found, at = [], 0
    while at < len(data):
        (length,) = struct.unpack_from("=I", data, at)
        found.append(data[at : at + (length + 3 & ~3)])
        at += length + 3 & ~3
    return found


def decoded(data: bytes, behind: bytes = b"", before: int = 0) -> tuple[SocketTable, int | None]:
    """The rows of one datagram, `before` bytes into a buffer that has other bytes behind it."""
    data = data[: len(data) & ~3]
    buffer = bytearray(bytes(before) + data + behind)
    offsets: list[int] = []
    words = memoryview(buffer).cast("I")
    end = before + len(data)
    code = wire.scan(words, before >> 2, end >> 2, SEQ, offsets)
    table = blank(len(offsets))
    places = np.array(offsets, np.int64) << 2
    wire.decode(np.frombuffer(buffer, np.uint8, end), places, table)
    return table, code


def same(one: SocketTable, other: SocketTable) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in COLUMNS)


def message(*attributes: tuple[int, bytes], family: int = 2) -> bytes:
    """A row of an established socket with these attributes; everything else in it is 0."""
    body = bytes([family, tcp.ESTABLISHED]) + bytes(70)
    for kind, value in attributes:
        body += struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)
    return struct.pack("=IHHII", 16 + len(body), wire.SOCK_DIAG_BY_FAMILY, 2, SEQ, 0) + body


def done(code: int) -> bytes:
    return struct.pack("=IHHIIi", 20, wire.NLMSG_DONE, 2, SEQ, 0, code)


def attributes(row: bytes) -> dict[int, bytes]:
    """By number, read one by one."""
    found, at = {}, 88
    while at + 4 <= len(row):
        length, kind = struct.unpack_from("=HH", row, at)
        found[kind & 0x3FFF] = row[at + 4 : at + length]
        at += length + 3 & ~3
    return found


def plainly(row: bytes) -> dict[str, Any]:
    """A row decoded field by field, as uapi/linux/inet_diag.h lays it out."""
    family, state, timer, retrans = row[16:20]
    local_port, remote_port = struct.unpack_from("!HH", row, 20)
    wide = family == tcp.AF_INET6
    texts = [row[at : at + 16] if wide else mapped(row[at : at + 4]) for at in (24, 40)]
    ends = [struct.unpack("!QQ", text) for text in texts]
    found = attributes(row)
    info, memory = found.get(tcp.INFO, b"")[:280], found.get(tcp.SKMEMINFO, b"")
    interface, cookie, expires, *rest = struct.unpack_from("=I Q I 4I", row, 56)
    recv_q, send_q, uid, inode = rest
    scalars = {
        name: int.from_bytes(found[kind][:size], "little") if kind in found else 0
        for kind, (name, size) in wire.SCALARS.items()
    }
    return scalars | {
        "netns": 0, "cookie": cookie, "family": family, "state": state, "timer": timer,
        "retrans": retrans, "local_port": local_port, "remote_port": remote_port,
        "local_hi": ends[0][0], "local_lo": ends[0][1],
        "remote_hi": ends[1][0], "remote_lo": ends[1][1],
        "interface": interface, "expires": expires, "recv_q": recv_q, "send_q": send_q,
        "uid": uid, "inode": inode, "has": sum(1 << kind for kind in found),
        "info_size": len(info), "info": words_of(info, 70),
        "memory_count": len(memory) // 4, "memory": words_of(memory, 9),
        "cong": found.get(tcp.CONG, b"").rstrip(b"\0"), "ulp": b"",
    }  # fmt: skip


def mapped(four: bytes) -> bytes:
    return bytes(10) + b"\xff\xff" + four


def words_of(data: bytes, count: int) -> list[int]:
    return list(struct.unpack(f"={count}I", data.ljust(4 * count, b"\0")))


@pytest.mark.parametrize("name", CAPTURES)
def test_every_column_of_every_row(name: str) -> None:
    table, code = decoded(CAPTURES[name])
    rows = messages(CAPTURES[name])[:-1]
    assert code == 0
    assert len(table) == len(rows) > 15
    for place, row in enumerate(rows):
        assert {n: getattr(table, n)[place].tolist() for n in COLUMNS} == plainly(row)


@pytest.mark.parametrize("name", CAPTURES)
def test_the_queues_alone_are_those_of_the_rows(name: str) -> None:
    table, _ = decoded(CAPTURES[name])
    sizes = [len(row) for row in messages(CAPTURES[name])[:-1]]
    offsets = [0, *accumulate(sizes[:-1])]
    cookies, queued = zip(*wire.queues(memoryview(CAPTURES[name]), offsets), strict=True)
    assert list(cookies) == table.cookie.tolist()
    assert list(queued) == table.recv_q.tolist()


def test_a_dump_of_no_listener_has_no_queues() -> None:
    assert wire.queues(memoryview(done(0)), []) == []


def test_the_captures_are_varied() -> None:
    table, _ = decoded(CAPTURES["everything"])
    shown = {tcp.STATES[number] for number in table.state}
    assert shown >= {"LISTEN", "SYN_SENT", "SYN_RECV", "TIME_WAIT", "CLOSE_WAIT", "CLOSE"}
    assert set(table.family.tolist()) == {tcp.AF_INET, tcp.AF_INET6}
    assert len(set(table.has.tolist())) >= 5
    assert table.came(tcp.SOCKOPT).any()
    assert set(table.info_size.tolist()) == {0, tcp.TCP_INFO_SIZE}


@given(cuts=st.sets(st.integers(0, 30)), before=st.integers(0, 9))
def test_chunks_make_no_difference(cuts: set[int], before: int) -> None:
    each = messages(CAPTURES["usual"])
    whole, _ = decoded(CAPTURES["usual"])
    bounds = sorted({0, len(each)} | {cut for cut in cuts if cut < len(each)})
    row = 0
    for first, last in pairwise(bounds):
        part, code = decoded(b"".join(each[first:last]), behind=b"\xff" * 64, before=4 * before)
        assert same(part, whole.part(row, row + len(part)))
        assert (code is not None) == (last == len(each))
        row += len(part)
    assert row == len(whole)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A capture that was cut, reordered, or had bytes or lengths changed."""
    each = messages(CAPTURES[draw(st.sampled_from(sorted(CAPTURES)))])
    data = bytearray(b"".join(draw(st.permutations(each)) if draw(st.booleans()) else each))
    starts = range(0, len(data), 4)
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.sampled_from(starts))
        length = st.sampled_from([0, 1, 3, 4, 5, 15, 16, 17, 20, 40, 88, 280, 512, 0xFFFF])
        value = draw(st.one_of(length, st.integers(0, 0xFFFF)))
        struct.pack_into("=H", data, at + draw(st.sampled_from([0, 2])), value)
    return bytes(data[: draw(st.integers(0, len(data)))] if draw(st.booleans()) else data)


@settings(max_examples=400, deadline=None)
@given(damaged())
def test_damage_is_told_or_harmless(data: bytes) -> None:
    try:
        table, code = decoded(data)
    except WireError:
        return
    again, code_again = decoded(data, behind=b"\xa5" * 128)
    assert same(table, again)
    assert code == code_again


@settings(max_examples=300, deadline=None)
@given(row=st.sampled_from(range(15)), data=st.data())
def test_damaged_attributes_are_told_or_harmless(row: int, data: st.DataObject) -> None:
    """As above, aimed at the attribute headers of one row among intact ones."""
    each = messages(CAPTURES["everything"])
    target = bytearray(each[row])
    heads = [at for at, _ in heads_of(each[row])]
    for at in data.draw(st.sets(st.sampled_from(heads or [88]), min_size=1)):
        kind, length = data.draw(st.integers(0, 0xFFFF)), data.draw(st.integers(0, 64))
        if at + 4 <= len(target):
            struct.pack_into("=HH", target, at, length, kind & 0x1F)
    each[row] = bytes(target)
    try:
        table, _ = decoded(b"".join(each))
    except WireError:
        return
    whole, _ = decoded(CAPTURES["everything"])
    others = np.arange(len(whole)) != row
    assert same(table.take(others), whole.take(others))


def heads_of(row: bytes) -> Iterator[tuple[int, int]]:
    at = 88
    while at + 4 <= len(row):
        length, kind = struct.unpack_from("=HH", row, at)
        yield at, kind
        at += length + 3 & ~3


def test_two_layouts_of_one_length() -> None:
    shutdown, mark = (tcp.SHUTDOWN, b"\x03"), (tcp.MARK, b"\x11\0\0\0")
    rows = [
        message(shutdown), message(mark), message(shutdown), message((tcp.SKV6ONLY, b"\1")),
        message(shutdown, mark), message(mark, shutdown),
        message((tcp.CGROUP_ID, bytes(7) + b"\1")),
    ]  # fmt: skip
    table, code = decoded(b"".join(rows))
    assert code is None
    assert table.shutdown.tolist() == [3, 0, 3, 0, 3, 3, 0]
    assert table.mark.tolist() == [0, 0x11, 0, 0, 0x11, 0x11, 0]
    assert table.v6only.tolist() == [0, 0, 0, 1, 0, 0, 0]
    assert table.cgroup_id.tolist() == [0] * 6 + [1 << 56]
    assert table.came(tcp.MARK).tolist() == [False, True, False, False, True, True, False]


@pytest.mark.parametrize("size", SIZES)
def test_an_older_kernel_s_tcp_info(size: int) -> None:
    whole, _ = decoded(CAPTURES["usual"])
    short, _ = decoded(b"".join(with_info(row, size) for row in messages(CAPTURES["usual"])))
    told = whole.came(tcp.INFO)
    assert set(short.info_size.tolist()) == {0, size}
    for field in tcp.TCP_INFO:
        if field.since <= size:
            assert np.array_equal(short.tcp_info(field.name), whole.tcp_info(field.name))
            assert np.array_equal(
                short.tcp_info_known(field.name), whole.tcp_info_known(field.name)
            )
        else:
            assert whole.tcp_info_known(field.name).any()
            assert not short.tcp_info_known(field.name).any()
    assert told.sum() > 10


def with_info(row: bytes, size: int) -> bytes:
    """The same message with a shorter or longer tcp_info, all lengths set right."""
    kind = struct.unpack_from("=H", row, 4)[0]
    if kind not in wire.ROWS:
        return row
    cut = [(n, v[:size].ljust(size, b"\xee") if n == 2 else v) for n, v in attributes(row).items()]
    made = message(*cut)
    return made[:16] + row[16:88] + made[88:]


def test_a_newer_kernel_s_tcp_info() -> None:
    whole, _ = decoded(CAPTURES["usual"])
    longer, _ = decoded(b"".join(with_info(row, 320) for row in messages(CAPTURES["usual"])))
    assert same(whole, longer)


def test_bytes_276_to_279_say_nothing() -> None:
    """Linux 7.0 laid them out anew."""
    rows = [with_info(with_info(row, 276), 280) for row in messages(CAPTURES["usual"])]
    whole, _ = decoded(CAPTURES["usual"])
    other, _ = decoded(b"".join(rows))
    assert not np.array_equal(whole.info, other.info)
    for field in tcp.TCP_INFO:
        assert np.array_equal(whole.tcp_info(field.name), other.tcp_info(field.name))


@pytest.mark.parametrize("count", [4, 8, 9, 12])
def test_sk_meminfo_of_older_and_newer_kernels(count: int) -> None:
    memory = struct.pack(f"={count}I", *range(1, count + 1))
    table, _ = decoded(message((tcp.SKMEMINFO, memory)))
    known = [bool(table.memory_known(name)[0]) for name in tcp.MEMORY]
    assert known == [place < count for place in range(9)]
    assert table.memory[0].tolist()[: min(count, 9)] == list(range(1, min(count, 9) + 1))


def test_an_overdue_timer_has_run_out() -> None:
    """Before the kernel clamped it, the time left came as a huge unsigned number."""
    row = bytearray(message())
    struct.pack_into("=I", row, 68, 0xFFFF_FFF0)
    assert decoded(bytes(row))[0].expires.tolist() == [0]


def ulp(name: bytes, *infos: tuple[int, bytes]) -> bytes:
    """INET_DIAG_ULP_INFO as tcp_diag_put_ulp makes it (net/ipv4/tcp_diag.c)."""
    nested = b""
    for kind, value in ((wire.INET_ULP_INFO_NAME, name + b"\0"), *infos):
        nested += struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)
    return nested


def tls_info() -> bytes:
    """INET_ULP_INFO_TLS of TLS 1.3 with AES-GCM 128 both ways, in software: tls_get_info in
    net/tls/tls_main.c, numbers of include/uapi/linux/tls.h."""
    values = (1, 0x0304), (2, 51), (3, 2), (4, 2)  # version, cipher, TXCONF and RXCONF: TLS_CONF_SW
    return b"".join(struct.pack("=HHHH", 6, kind, value, 0) for kind, value in values)


def test_upper_layer_protocols() -> None:
    """Of kTLS and MPTCP, which tell root more; the kernel nests without NLA_F_NESTED."""
    told = [
        ulp(b"tls", (2, tls_info())),
        ulp(b"tls", (2, b"")),
        ulp(b"mptcp", (3, bytes(96))),
        ulp(b"mptcp", (3, bytes(52))),
        ulp(b"smc"),
        ulp(b"x" * 30),
    ]
    rows = [message((tcp.ULP_INFO, each)) for each in told]
    table, _ = decoded(b"".join([*rows, message()]))
    names = [b"tls", b"tls", b"mptcp", b"mptcp", b"smc", b"x" * 16, b""]
    assert table.ulp.tolist() == names
    nested = message((tcp.ULP_INFO | 0x8000, told[0]))
    assert decoded(nested)[0].ulp.tolist() == [b"tls"]


@pytest.mark.parametrize("inner", [b"", b"\0", struct.pack("=HH", 4, 2), struct.pack("=HH", 4, 1)])
def test_an_upper_layer_protocol_without_a_name(inner: bytes) -> None:
    assert decoded(message((tcp.ULP_INFO, inner)))[0].ulp.tolist() == [b""]


@pytest.mark.parametrize("length", [0, 3, 9, 0xFFFF])
def test_an_upper_layer_protocol_that_does_not_fit(length: int) -> None:
    broken = struct.pack("=HH", length, wire.INET_ULP_INFO_NAME) + b"tls\0"
    with pytest.raises(WireError, match="does not fit"):
        decoded(message((tcp.ULP_INFO, broken)))


def test_addresses_of_both_families() -> None:
    table, _ = decoded(CAPTURES["usual"])
    hi, lo = halves("127.0.0.1")
    v4 = table.family == tcp.AF_INET
    assert set(table.local_hi[v4].tolist()) == {hi}
    assert set(table.local_lo[v4].tolist()) <= {lo, halves("0.0.0.0")[1]}
    loopback = (table.local_hi == 0) & (table.local_lo == 1)
    assert loopback[~v4].any()


@pytest.mark.parametrize(("code", "expected"), [(0, 0), (-2, -2), (-16, -16)])
def test_the_end_of_a_dump_tells_how_it_went(code: int, expected: int) -> None:
    assert decoded(message() + done(code))[1] == expected
    assert decoded(struct.pack("=IHHIIi16x", 36, wire.NLMSG_ERROR, 0, SEQ, 0, code))[1] == expected


def test_another_request_s_messages_are_passed_over() -> None:
    other = bytearray(message() + done(-2))
    struct.pack_into("=I", other, 8, SEQ - 1)
    struct.pack_into("=I", other, len(message()) + 8, SEQ - 1)
    table, code = decoded(bytes(other) + message())
    assert len(table) == 1
    assert code is None


def test_something_else_is_not_a_dump() -> None:
    with pytest.raises(WireError, match="type 99"):
        decoded(struct.pack("=IHHII", 16, 99, 0, SEQ, 0))
    with pytest.raises(WireError, match="5000 bytes where 16 were left"):
        decoded(struct.pack("=IHHII", 5000, 20, 0, SEQ, 0))
    with pytest.raises(WireError, match="attribute 21 has 4 bytes"):
        decoded(message((tcp.CGROUP_ID, b"1234")))

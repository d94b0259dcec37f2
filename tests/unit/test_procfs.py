"""Parsers of /proc files, on text as kernels of different age write it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcptop.model.sysctls import port_range, reserved_ports
from tcptop.sources import procfs
from tcptop.sources.counters import read_sysctls
from tcptop.sources.processes import CMDLINE, ProcessReader

NETSTAT = b"""TcpExt: SyncookiesSent ListenOverflows TCPTimeouts
TcpExt: 1 20 300
IpExt: InNoRoutes InOctets
IpExt: 0 18446744073709551615
"""
SNMP = b"""Tcp: RtoAlgorithm MaxConn ActiveOpens
Tcp: 1 -1 7
Udp: InDatagrams
Udp: 5
"""
SOCKSTAT = b"""sockets: used 12
TCP: inuse 3 orphan 1 tw 2 alloc 28 mem 321
UDP: inuse 0 mem 0
"""
LIMITS = b"""Limit                     Soft Limit           Hard Limit           Units
Max cpu time              unlimited            unlimited            seconds
Max open files            1024                 524288               files
"""


def test_counters_are_found_by_name() -> None:
    assert procfs.counters(NETSTAT) == {
        "TcpExt": {"SyncookiesSent": 1, "ListenOverflows": 20, "TCPTimeouts": 300},
        "IpExt": {"InNoRoutes": 0, "InOctets": 2**64 - 1},
    }
    assert procfs.counters(SNMP)["Tcp"] == {"RtoAlgorithm": 1, "MaxConn": -1, "ActiveOpens": 7}


def test_a_cut_file_has_no_cut_values() -> None:
    whole = procfs.counters(NETSTAT)
    for end in range(len(NETSTAT)):
        for section, names in procfs.counters(NETSTAT[:end]).items():
            assert names.items() <= whole[section].items()
    assert procfs.counters(NETSTAT[: NETSTAT.index(b"300") + 1])["TcpExt"] == {
        "SyncookiesSent": 1,
        "ListenOverflows": 20,
    }


def test_a_cut_sockstat_has_no_cut_values() -> None:
    whole = procfs.sockstat(SOCKSTAT)
    assert whole["TCP"] == {"inuse": 3, "orphan": 1, "tw": 2, "alloc": 28, "mem": 321}
    assert whole["sockets"] == {"used": 12}
    for end in range(len(SOCKSTAT)):
        for section, names in procfs.sockstat(SOCKSTAT[:end]).items():
            assert names.items() <= whole[section].items()


@given(st.binary())
def test_no_bytes_make_a_parser_fail(data: bytes) -> None:
    procfs.counters(data)
    procfs.sockstat(data)
    procfs.start_time(data)
    procfs.cgroup(data)
    procfs.open_files_limit(data)
    procfs.cmdline(data).encode()
    procfs.comm(data).encode()


@pytest.mark.parametrize(
    ("data", "path"),
    [
        (b"0::/system.slice/nginx.service\n", "/system.slice/nginx.service"),
        (b"4:memory:/a\n1:name=systemd:/system.slice/x\n0::/\n", "/system.slice/x"),
        (b"4:memory:/docker/1\n1:name=systemd:/\n0::/\n", "/docker/1"),
        (b"4:memory:/a\n1:name=systemd:/b\n0::/c\n", "/c"),
        (b"0::/system.slice/nginx.service (deleted)\n", "/system.slice/nginx.service"),
        (
            b"4:memory:/docker/%b\n1:name=systemd:/a\n0::/system.slice/docker.service\n"
            % (b"3f" * 32),
            "/docker/" + "3f" * 32,
        ),
        (
            b"4:memory:/docker/%b\n0::/docker/%b\n" % (b"3f" * 32, b"4a" * 32),
            "/docker/" + "4a" * 32,
        ),
        (b"2:cpu,cpuacct:/\n0::/\n", "/"),
        (b"0::/a:b \xff\n", "/a:b \ufffd"),
        (b"", None),
    ],
)
def test_the_most_telling_cgroup(data: bytes, path: str | None) -> None:
    assert procfs.cgroup(data) == path


def test_start_time_is_counted_from_the_last_parenthesis() -> None:
    fields = b" ".join(b"%d" % number for number in range(4, 30))
    assert procfs.start_time(b"12 (a) R 1 (b) S " + fields) == 22
    assert procfs.start_time(b"12 (a) S 1 2") is None


def test_kernel_threads_are_told_by_their_flags() -> None:
    assert procfs.is_kernel_thread(b"2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0")
    assert procfs.is_kernel_thread(b"9 (a) b) I 2 0 0 0 -1 69238880 0 0 0 0")
    assert not procfs.is_kernel_thread(b"812 (nginx) S 1 812 812 0 -1 4194560 1 0 0 0")
    assert not procfs.is_kernel_thread(b"")


def test_limit_of_open_files() -> None:
    assert procfs.open_files_limit(LIMITS) == 1024
    assert procfs.open_files_limit(LIMITS.replace(b"1024 ", b"unlimited ")) is None
    assert procfs.open_files_limit(b"") is None


def test_arguments_are_joined() -> None:
    assert procfs.cmdline(b"nginx: master\0-g\0daemon off;\0") == "nginx: master -g daemon off;"
    assert procfs.cmdline(b"") == ""


def test_reading_what_is_missing(tmp_path: Path) -> None:
    assert procfs.read(str(tmp_path / "none")) is None
    assert procfs.read(str(tmp_path)) is None
    assert procfs.pids(str(tmp_path / "none")) == []
    (tmp_path / "long").write_bytes(b"x" * 200_000)
    assert procfs.read(str(tmp_path / "long")) == b"x" * 200_000
    assert procfs.read(str(tmp_path / "long"), 5) == b"xxxxx"


def test_files_kept_open_are_read_from_their_start(tmp_path: Path) -> None:
    files, path = procfs.OpenFiles(), tmp_path / "file"
    assert files.read(str(path)) is None
    sizes = (3, 2047, 2048, 4095, 4096, 4097, 200_000, 0)
    for data in (b"x" * size for size in sizes):
        path.write_bytes(data)
        assert files.read(str(path)) == files.read_again(str(path)) == data
    path.write_bytes(b"12345")
    assert files.read(str(path), 3) == b"123"
    assert files.read(str(tmp_path)) is None  # no file: cannot be read, and is not kept
    files.close()
    assert files.read_again(str(path)) is None
    assert files.read(str(path)) == b"12345"
    files.close()


def test_sections_that_stay_are_those_that_were_read() -> None:
    """What is remembered of lines is not mixed up where one of them changes."""
    names, values = b"Tcp: A B\n", b"Tcp: 1 2\n"
    for data, expected in (
        (names + values, {"Tcp": {"A": 1, "B": 2}}),
        (names + b"Tcp: 1 3\n", {"Tcp": {"A": 1, "B": 3}}),
        (names + values + b"Tcp: C\nTcp: 4\n", {"Tcp": {"A": 1, "B": 2, "C": 4}}),
        (names + values, {"Tcp": {"A": 1, "B": 2}}),
        (names + b"Udp: 1 2\n", {}),
        (names + b"Tcp: -1 x\n", {"Tcp": {"A": -1}}),
        (names + b"Tcp: 7\n", {"Tcp": {"A": 7}}),
    ):
        assert procfs.counters(data) == expected


def test_sysctls_by_full_name(tmp_path: Path) -> None:
    ipv4 = tmp_path / "net/ipv4"
    ipv4.mkdir(parents=True)
    (ipv4 / "ip_local_port_range").write_text("32768\t60999\n")
    (ipv4 / "ip_local_reserved_ports").write_text("\n")
    (ipv4 / "tcp_tw_recycle").write_text("0\n")
    assert read_sysctls(str(tmp_path)) == {
        "net.ipv4.ip_local_port_range": "32768 60999",
        "net.ipv4.ip_local_reserved_ports": "",
        "net.ipv4.tcp_tw_recycle": "0",
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [("32768 60999", (32768, 60999)), ("9 5", None), ("", None), ("1", None), ("a b", None)],
)
def test_port_range(text: str, expected: tuple[int, int] | None) -> None:
    assert port_range({"net.ipv4.ip_local_port_range": text}) == expected
    assert port_range({}) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("8080", [(8080, 8080)]),
        ("80,8000-8100,9000", [(80, 80), (8000, 8100), (9000, 9000)]),
        ("80,x,7-,5", [(80, 80), (5, 5)]),
    ],
)
def test_reserved_ports(text: str, expected: list[tuple[int, int]]) -> None:
    assert reserved_ports({"net.ipv4.ip_local_reserved_ports": text}) == expected
    assert reserved_ports({}) == []


def test_what_is_missing_of_a_process_is_unknown(tmp_path: Path) -> None:
    one = tmp_path / "1"
    (one / "fd").mkdir(parents=True)
    (one / "comm").write_bytes(b"x\n")
    assert ProcessReader(str(tmp_path)).get(1) is None  # no stat: it has just ended
    (one / "stat").write_bytes(b"1 (x) S " + b"9 " * 40)
    process = ProcessReader(str(tmp_path)).get(1)
    assert process
    assert (process.name, process.cmdline, process.start_time) == ("x", "", 9)
    assert (process.cgroup, process.fd_limit, process.netns) == (None, None, None)


def test_facts_are_read_again_after_a_while(tmp_path: Path) -> None:
    one = tmp_path / "1"
    (one / "fd").mkdir(parents=True)
    (one / "comm").write_bytes(b"x\n")
    (one / "stat").write_bytes(b"1 (x) S " + b"9 " * 40)
    (one / "cmdline").write_bytes(b"before\0")
    now = [0.0]
    processes = ProcessReader(str(tmp_path), lambda: now[0])
    seen = []
    for now[0], text in ((0.0, b"a"), (9.0, b"b"), (11.0, b"c" * 2 * CMDLINE)):
        (one / "cmdline").write_bytes(text)
        process = processes.get(1)
        seen.append(process and process.cmdline)
    assert seen == ["a", "a", "c" * CMDLINE]

"""Counters and sysctls of a namespace, against what was done there and against nstat."""

import os
import socket
from pathlib import Path

from tcptop.analysis.counters import GAUGES
from tcptop.analysis.levels import conntrack, memory_pages, orphans, time_waits
from tcptop.columns.kernel_counters import KNOWN
from tcptop.columns.kernel_rows import rows
from tcptop.columns.sysctls import BY_NAME, SETTINGS
from tcptop.demo import held
from tcptop.demo.namespace import DemoNamespace
from tcptop.demo.sockets import accepted, connected, listening
from tcptop.model.sample import Kernel
from tcptop.model.sysctls import port_range, reserved_ports
from tcptop.sources.counters import (
    HOST_WIDE,
    SYSCTLS,
    KernelReader,
    read_kernel,
    read_sysctls,
)
from tcptop.sources.namespaces import current_inode
from tcptop.sources.procfs import counters
from tests.kernel.nobody import as_nobody

RECENT = (
    "net.core.somaxconn",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.tcp_rto_min_us",
    "net.ipv4.tcp_syn_linear_timeouts",
    "net.ipv4.tcp_syn_retries",
    "net.ipv4.tcp_tw_reuse",
)  # their defaults have changed, or they came


def inside(namespace: DemoNamespace) -> Kernel:
    return namespace.in_thread(read_kernel, namespace.inode)


def refused() -> None:
    made = socket.socket()
    assert made.connect_ex(("127.0.0.1", 1)) != 0


def test_counters_move_with_what_happens(namespace: DemoNamespace) -> None:
    before = inside(namespace)
    listener = namespace.run(listening)
    for _ in range(3):
        namespace.run(connected, "127.0.0.1", listener.local[1])
    namespace.run(refused)
    after = inside(namespace)
    moved = {
        name: after.counters["Tcp"][name] - old for name, old in before.counters["Tcp"].items()
    }
    assert moved["ActiveOpens"] == 4
    assert moved["PassiveOpens"] == 3
    assert moved["AttemptFails"] == 1
    assert moved["CurrEstab"] == 6
    assert after.sockstat["TCP"]["inuse"] == 4 + 3  # those in the accept queue are counted
    assert after.sockstat["TCP6"]["inuse"] == 0
    assert after.netns == namespace.inode


def test_every_counter_is_as_nstat_shows_it(namespace: DemoNamespace) -> None:
    listener = namespace.run(listening)
    namespace.run(connected, "127.0.0.1", listener.local[1])
    lines = namespace.command(["nstat", "-asz"]).splitlines()
    theirs = {words[0]: int(words[1]) for words in map(str.split, lines) if words[0] != "#kernel"}
    ours = inside(namespace).counters
    flat = {section + name: value for section in ours for name, value in ours[section].items()}
    shared = [name for name in flat if name in theirs]
    assert len([name for name in shared if name.startswith("TcpExt")]) > 80
    assert {name: flat[name] for name in shared} == {name: theirs[name] for name in shared}


def test_sysctls_are_the_namespace_s(namespace: DemoNamespace) -> None:
    namespace.sysctl("net.ipv4.ip_local_port_range", "40000 40019")
    namespace.sysctl("net.ipv4.ip_local_reserved_ports", "40001,40005-40007")
    namespace.sysctl("net.core.somaxconn", 77)
    sysctls = inside(namespace).sysctls
    assert port_range(sysctls) == (40000, 40019)
    assert reserved_ports(sysctls) == [(40001, 40001), (40005, 40007)]
    assert sysctls["net.core.somaxconn"] == "77"
    assert sysctls.keys() <= set(SYSCTLS)
    assert "net.ipv4.tcp_tw_reuse" in sysctls
    theirs = namespace.command(["sysctl", "-ea"])
    shown = {name.strip(): text.split() for name, _, text in map(part, theirs.splitlines())}
    ours = {name: text.split() for name, text in sysctls.items()}
    assert len(ours.keys() & shown.keys()) > 25
    assert ours.items() <= (host_wide() | shown).items()


def part(line: str) -> tuple[str, str, str]:
    return line.partition("=")


def host_wide() -> dict[str, list[str]]:
    """As this process sees them, who is in the namespace that tcptop was started in."""
    return {name: text.split() for name, text in read_sysctls(names=HOST_WIDE).items()}


def test_limits_of_the_whole_host_are_known_in_every_namespace(namespace: DemoNamespace) -> None:
    here = host_wide()
    sysctls = inside(namespace).sysctls
    assert not Path("/proc/sys/net/ipv4/tcp_mem").exists() or "net.ipv4.tcp_mem" in sysctls
    for name in ("net.ipv4.tcp_mem", "net.ipv4.tcp_max_orphans", "net.core.netdev_max_backlog"):
        assert sysctls.get(name, "").split() == here.get(name, [])
    # The look at the other namespace leaves the thread where it was.
    assert namespace.in_thread(read_and_stay, namespace.inode) == namespace.inode


def read_and_stay(inode: int) -> int:
    read_kernel(inode)
    return current_inode()


def test_files_kept_open_tell_the_same(namespace: DemoNamespace) -> None:
    """Of the namespace that the reader was made in, while settings and counters change."""

    def kept_and_anew() -> list[tuple[Kernel, Kernel]]:
        reader, found = KernelReader(namespace.inode), []
        for syncookies in "102":
            Path("/proc/sys/net/ipv4/tcp_syncookies").write_text(syncookies)
            with socket.create_server(("127.0.0.1", 0)) as listener:
                socket.create_connection(listener.getsockname()).close()
            found.append((reader.read(), read_kernel(namespace.inode)))
        reader.close()
        return found

    pairs = namespace.in_thread(kept_and_anew)
    for kept, anew in pairs:
        assert (kept.counters, kept.sysctls) == (anew.counters, anew.sysctls)
        assert kept.sockstat["TCP"].keys() == anew.sockstat["TCP"].keys()
    assert [kept.sysctls["net.ipv4.tcp_syncookies"] for kept, _ in pairs] == ["1", "0", "2"]
    opens = [kept.counters["Tcp"]["ActiveOpens"] for kept, _ in pairs]
    assert opens == [opens[0], opens[0] + 1, opens[0] + 2]
    assert "net.ipv4.tcp_mem" in pairs[-1][0].sysctls


def test_another_user_has_no_way_to_the_first_namespace(namespace: DemoNamespace) -> None:
    with namespace.entered():
        sysctls = as_nobody(read_kernel, namespace.inode).sysctls
    assert "net.ipv4.tcp_retries2" in sysctls
    assert "net.ipv4.tcp_mem" not in sysctls


def test_conntrack_is_known_where_it_is_loaded(namespace: DemoNamespace) -> None:
    loaded = Path("/proc/sys/net/netfilter/nf_conntrack_max").exists()
    for kernel in (inside(namespace), read_kernel(current_inode())):
        used, limit = conntrack(kernel)
        assert (used is not None) == (limit is not None) == loaded


def test_levels_are_those_of_the_namespace(namespace: DemoNamespace) -> None:
    listener = namespace.run(listening)
    client = namespace.run(connected, "127.0.0.1", listener.local[1])
    server = namespace.run(accepted, listener.fd)
    namespace.run(held.close, client.fd)
    namespace.run(held.close, server.fd)
    namespace.sysctl("net.ipv4.tcp_max_tw_buckets", 9)
    kernel = inside(namespace)
    assert time_waits(kernel) == (1, 9)
    assert orphans(kernel).used is not None
    assert memory_pages(kernel).used is not None


def test_a_namespace_seen_from_outside_has_no_sysctls(namespace: DemoNamespace) -> None:
    listener = namespace.run(listening)
    kernel = read_kernel(namespace.inode, namespace.pid)
    assert kernel.sockstat["TCP"]["inuse"] == 1
    assert kernel.counters["Tcp"] == inside(namespace).counters["Tcp"]
    assert kernel.sysctls == {}
    namespace.run(held.close, listener.fd)


def test_an_ended_process_leaves_nothing(namespace: DemoNamespace) -> None:
    inode, pid = namespace.inode, namespace.pid
    namespace.close()
    assert read_kernel(inode, pid) == Kernel(inode)


def test_another_user_sees_the_counters(namespace: DemoNamespace) -> None:
    namespace.run(listening)
    seen = as_nobody(read_kernel, namespace.inode, namespace.pid)
    assert seen.sockstat["TCP"]["inuse"] == 1
    assert seen.counters["Tcp"] == inside(namespace).counters["Tcp"]


def test_own_counters_are_the_calling_thread_s() -> None:
    kernel = read_kernel(os.stat("/proc/thread-self/ns/net").st_ino)
    here = counters(Path("/proc/thread-self/net/snmp").read_bytes())
    assert kernel.counters["Tcp"].keys() == here["Tcp"].keys()
    assert "net.ipv4.tcp_rmem" in kernel.sysctls


def test_the_catalogue_names_counters_of_this_kernel(namespace: DemoNamespace) -> None:
    kernel = inside(namespace)
    there = {(section, name) for section in kernel.counters for name in kernel.counters[section]}
    assert KNOWN - there <= {("TcpExt", "TSEcrRejected")}  # 6.15
    shown = {row.name: row for row in rows(kernel, {})}
    for section in ("Tcp", "TcpExt"):
        for name, value in kernel.counters[section].items():
            assert name in GAUGES or shown[name].value == value
    assert shown["CurrEstab"].value == 0


def test_defaults_are_those_of_a_new_namespace(namespace: DemoNamespace) -> None:
    sysctls = inside(namespace).sysctls
    compared = 0
    for setting in SETTINGS:
        fixed = setting.default is not None and not setting.remark
        if fixed and setting.name in sysctls and setting.name not in HOST_WIDE:
            assert sysctls[setting.name] == setting.default, setting.name
            compared += 1
    assert compared >= 15
    if "net.ipv4.tcp_tw_reuse_delay" in sysctls:  # 6.14: newer than every remark but one
        assert all(sysctls[name] == BY_NAME[name].default for name in RECENT)

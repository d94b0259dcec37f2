"""Finding and entering network namespaces."""

import os
import threading
from pathlib import Path

import pytest

from tcptop.demo.namespace import DemoNamespace
from tcptop.demo.sockets import connected, listening
from tcptop.sources import namespaces
from tcptop.sources.namespace_finder import Found, NamespaceFinder, mounted
from tcptop.sources.namespaces import NamespaceError, entered, open_namespace
from tests.kernel.nobody import as_nobody
from tests.kernel.states import time_wait


@pytest.fixture
def names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of names in the place of /run/netns, for those who may not mount there."""
    monkeypatch.setattr(namespaces, "NAMED", str(tmp_path))
    return tmp_path


def discover(proc: str = "/proc") -> list[Found]:
    return [*NamespaceFinder(proc).find().values()]


def test_the_calling_thread_goes_in_and_comes_back(namespace: DemoNamespace) -> None:
    def visit() -> tuple[int, dict[int, str], int]:
        descriptor = open_namespace(str(namespace.pid))
        try:
            with entered(descriptor):
                inside = namespaces.current_inode(), namespaces.interfaces()
            return (*inside, namespaces.current_inode())
        finally:
            os.close(descriptor)

    home = namespaces.current_inode()
    descriptors = len(os.listdir("/proc/self/fd"))
    inode, interfaces, after = visit()
    assert inode == namespace.inode != home
    assert interfaces == {1: "lo"}
    assert after == home
    assert len(os.listdir("/proc/self/fd")) == descriptors


def test_it_comes_back_after_an_error(namespace: DemoNamespace) -> None:
    home = namespaces.current_inode()
    descriptor = open_namespace(str(namespace.pid))
    with pytest.raises(ZeroDivisionError), entered(descriptor):
        raise ZeroDivisionError
    os.close(descriptor)
    assert namespaces.current_inode() == home


def test_only_the_calling_thread_goes_in(namespace: DemoNamespace) -> None:
    home = namespaces.current_inode()
    inside, seen = threading.Event(), []
    done = threading.Event()

    def visit() -> None:
        descriptor = open_namespace(str(namespace.pid))
        with entered(descriptor):
            seen.append(namespaces.current_inode())
            inside.set()
            done.wait(10)
        os.close(descriptor)

    thread = threading.Thread(target=visit)
    thread.start()
    assert inside.wait(10)
    seen.append(namespaces.current_inode())
    done.set()
    thread.join()
    assert seen == [namespace.inode, home]


def test_a_name_leads_to_a_namespace(namespace: DemoNamespace, names: Path) -> None:
    (names / "blue").symlink_to(f"/proc/{namespace.pid}/ns/net")
    descriptor = open_namespace("blue")
    assert os.fstat(descriptor).st_ino == namespace.inode
    os.close(descriptor)
    assert namespaces.name_of(namespace.inode) == "blue"
    assert namespaces.name_of(1) is None


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ("nope", "no network namespace 'nope': No such file or directory"),
        ("", "'' is not the name of a network namespace"),
        ("..", "'..' is not the name of a network namespace"),
        ("../../proc/1/ns/net", "'../../proc/1/ns/net' is not the name of a network namespace"),
        ("a\0b", r"'a\x00b' is not the name of a network namespace"),
        ("a\n\x1b[1m", r"no network namespace 'a\n\x1b[1m': No such file or directory"),
        ("99999999", "there is no process 99999999"),
        ("9" * 400, "there is no process " + "9" * 400),
    ],
)
def test_what_is_no_namespace(names: Path, spec: str, complaint: str) -> None:
    with pytest.raises(NamespaceError) as raised:
        open_namespace(spec)
    assert str(raised.value) == complaint


def test_a_name_that_leads_elsewhere(names: Path) -> None:
    (names / "stale").touch()  # what an unmounted name leaves behind
    with pytest.raises(NamespaceError, match="stale is not a network namespace, or one no more"):
        open_namespace("stale")
    assert namespaces.name_of(os.stat(names / "stale").st_ino) is None


def refusals(pid: int) -> tuple[str, str, bool]:
    """What a user without rights is told of a process of root, and of entering his own."""
    with pytest.raises(NamespaceError) as opening:
        open_namespace(str(pid))
    with pytest.raises(NamespaceError) as entering:
        namespaces._enter(os.open("/proc/thread-self/ns/net", os.O_RDONLY))
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    with entered(own):
        stays = True
    return str(opening.value), str(entering.value), stays


def test_another_user_is_told_what_he_lacks() -> None:
    opening, entering, stays = as_nobody(refusals, 1)  # 1 is root's, whoever runs the tests
    assert opening == (
        "network namespace of process 1: not permitted, it takes CAP_SYS_PTRACE (root)"
    )
    assert entering == (
        "entering another network namespace: not permitted, it takes CAP_SYS_ADMIN (root)"
    )
    assert stays


def test_every_namespace_is_discovered_once(namespace: DemoNamespace, names: Path) -> None:
    (names / "blue").symlink_to(f"/proc/{namespace.pid}/ns/net")
    namespace.helper()
    found = discover()
    inodes = [each.inode for each in found]
    assert len(set(inodes)) == len(inodes)
    assert namespaces.current_inode() in inodes
    mine = found[inodes.index(namespace.inode)]
    assert (mine.name, mine.pids[0]) == ("blue", namespace.pid)
    assert {os.stat(path).st_ino for path in mine.paths} == {namespace.inode}


def test_a_name_without_a_process_is_discovered(names: Path) -> None:
    with DemoNamespace() as namespace:
        (names / "kept").symlink_to(f"/proc/{namespace.pid}/ns/net")
        inode = namespace.inode
        found = [each for each in discover(proc=str(names)) if each.name == "kept"]
    assert [(each.inode, each.pids, each.paths) for each in found] == [
        (inode, (), (str(names / "kept"),))
    ]


def test_others_with_sockets(namespace: DemoNamespace) -> None:
    def in_use() -> int | None:
        return NamespaceFinder().find()[namespace.inode].sockets_in_use()

    assert in_use() == 0
    namespace.run(listening)
    assert in_use() == 1


def test_namespaces_are_found_by_their_mounts() -> None:
    mountinfo = (
        b"24 1 0:22 / /proc rw - proc proc rw\n"
        b"389 25 0:4 net:[4026532281] /run/docker/netns/a\\040b rw shared:5 - nsfs nsfs rw\n"
        b"390 25 0:4 mnt:[4026532282] /run/other rw - nsfs nsfs rw\n"
        b"391 25 0:4 net:[4026532283] /run/netns/blue rw - nsfs nsfs rw\n"
    )
    assert mounted(mountinfo) == [
        (4026532281, "/run/docker/netns/a b"),
        (4026532283, "/run/netns/blue"),
    ]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_sockets_in_use(namespace: DemoNamespace, host: str) -> None:
    net = f"/proc/{namespace.pid}/net"
    assert namespaces.sockets_in_use(net) == 0
    listener = namespace.run(listening, host)
    assert namespaces.sockets_in_use(net) == 1
    namespace.run(connected, host, listener.local[1])
    assert namespaces.sockets_in_use(net) == 3
    assert namespaces.sockets_in_use("/proc/none/net") == 0


def test_time_wait_is_in_use(namespace: DemoNamespace) -> None:
    namespace.run(time_wait)
    assert namespaces.sockets_in_use(f"/proc/{namespace.pid}/net") == 1


def test_another_user_discovers_his_own(namespace: DemoNamespace) -> None:
    found = as_nobody(discover)
    assert namespaces.current_inode() in {each.inode for each in found}
    if os.getuid() == 0:
        assert namespace.inode not in {each.inode for each in found}

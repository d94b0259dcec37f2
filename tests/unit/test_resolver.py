"""Names in the background, with the resolver of the system and files of our own in its way.

What needs other files than the host's runs in a process with namespaces of its own.
"""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tcptop.demo import veth
from tcptop.demo.namespace import DemoNamespace
from tcptop.sources import resolver
from tcptop.sources.resolver import Resolver

PATIENCE = 30.0


@pytest.fixture
def names() -> Iterator[Resolver]:
    made = Resolver()
    yield made
    made.close()


def soon(ask: Callable[[], str | None]) -> str:
    """The answer, once there is one."""
    end = time.monotonic() + PATIENCE
    while (found := ask()) is None:
        assert time.monotonic() < end, "never answered"
        time.sleep(0.002)
    return found


def settled(names: Resolver) -> None:
    """All that was asked is answered."""
    end = time.monotonic() + PATIENCE
    while names._waiting or names._busy:
        assert time.monotonic() < end, "never settled"
        time.sleep(0.002)


def test_this_host_has_a_name(names: Resolver) -> None:
    assert names.name("127.0.0.1") is None  # not known yet, and nobody waited for it
    assert soon(lambda: names.name("127.0.0.1"))


def test_services(names: Resolver) -> None:
    assert soon(lambda: names.service(443)) == "https"
    assert names.service(1) in (None, "tcpmux")
    assert names.service(64999) is None
    settled(names)
    assert names.service(64999) is None
    assert 64999 in names._known
    for port in (0, -1, 65536):
        assert names.service(port) is None
        assert port not in names._waiting


@pytest.mark.parametrize(
    "address",
    ["fe80::1", "fe80::1%lo", "169.254.1.1", "0.0.0.0", "::", "", "localhost", "1.2.3.4\n", "a\0b"],
)
def test_what_is_never_asked(names: Resolver, address: str) -> None:
    assert names.name(address) is None
    assert not names._waiting
    assert not names._busy
    assert not names._known


def test_somebody_is_told_once_until_he_asks_again() -> None:
    told, answered = [], threading.Event()

    def changed() -> None:
        told.append(threading.current_thread().name)
        answered.set()

    names = Resolver(changed)
    names.service(80)
    names.service(443)
    assert answered.wait(PATIENCE)
    settled(names)
    first = len(told)
    assert first in (1, 2)  # the second question may have come after the first answer
    answered.clear()
    assert names.service(80) == "http"
    names.service(22)
    assert answered.wait(PATIENCE)
    settled(names)
    assert len(told) == first + 1
    assert all(name.startswith("resolver-") for name in told)
    names.close()


def test_a_closed_loop_ends_no_thread() -> None:
    def changed() -> None:
        raise RuntimeError("Event loop is closed")

    names = Resolver(changed)
    for port in (80, 443, 22, 25, 53):
        assert soon(lambda port=port: names.service(port))  # type: ignore[misc]
    names.close()


def test_answers_grow_old(names: Resolver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolver, "KNOWN_S", -1.0)
    assert soon(lambda: names.service(80)) == "http"
    first = names._known[80]
    assert names.service(80) == "http"  # the old one, while it is asked for again
    settled(names)
    assert names._known[80].until > first.until


def test_no_answer_is_remembered_too(names: Resolver, monkeypatch: pytest.MonkeyPatch) -> None:
    names.service(64999)
    settled(names)
    names.service(64999)
    assert 64999 not in names._waiting
    assert 64999 not in names._busy


def test_what_is_remembered_is_bounded(names: Resolver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolver, "KEPT", 10)
    for port in range(60000, 60030):
        names.service(port)
    settled(names)
    assert len(names._known) == 10


def threads() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name.startswith("resolver-")]


def test_closed_it_asks_no_more() -> None:
    names = Resolver()
    assert len(threads()) >= resolver.WORKERS
    assert all(each.daemon for each in threads())
    names.close()
    assert names.service(80) is None
    assert not names._waiting
    end = time.monotonic() + PATIENCE
    while threads():
        assert time.monotonic() < end, "never ended"
        time.sleep(0.002)


def in_other_files(namespace: DemoNamespace, files: dict[str, Path], code: str) -> str:
    """What Python code prints where other files lie over those of /etc, inside a namespace."""
    mounts = "".join(f"mount --bind {path} /etc/{name}\n" for name, path in files.items())
    script = f'set -e\n{mounts}exec {sys.executable} -c "$1"'
    inside = ["nsenter", "-t", str(namespace.pid), "-n", "unshare", "-m", "sh", "-c", script]
    done = subprocess.run([*inside, "sh", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_names_that_lie_are_not_taken(tmp_path: Path) -> None:
    hosts, switch = tmp_path / "hosts", tmp_path / "nsswitch.conf"
    hosts.write_bytes(
        b"192.0.2.1 web-1.example.com web\n"
        b"192.0.2.2 10.0.0.1\n"
        b"192.0.2.3 \x1b[31mred\n"
        b"192.0.2.4 [bold]x[/bold]\n"
        b"192.0.2.5 caf\xc3\xa9\n"
        b"192.0.2.6 1234\n"
        b"2001:db8::7 _dmarc.example\n"
        b"::1 localhost6\n"
    )
    switch.write_text("hosts: files\nservices: files\n")
    code = (
        "import time\n"
        "from tcptop.sources.resolver import Resolver\n"
        "names = Resolver()\n"
        "all = [f'192.0.2.{n}' for n in range(1, 8)] + ['2001:db8::7', '::1']\n"
        "[names.name(each) for each in all]\n"
        "while names._waiting or names._busy: time.sleep(0.002)\n"
        "print(*[names.name(each) for each in all])\n"
    )
    with DemoNamespace() as namespace:
        files = {"hosts": hosts, "nsswitch.conf": switch}
        found = in_other_files(namespace, files, code).split()
    assert found == ["web-1.example.com", *["None"] * 6, "_dmarc.example", "localhost6"]


def test_a_name_server_that_does_not_answer_holds_nothing_up(tmp_path: Path) -> None:
    conf, switch = tmp_path / "resolv.conf", tmp_path / "nsswitch.conf"
    conf.write_text(f"nameserver {veth.NOBODY}\noptions timeout:30 attempts:5\n")
    switch.write_text("hosts: dns\nservices: files\n")
    code = (
        "import time\n"
        "from tcptop.sources import resolver\n"
        "names = resolver.Resolver()\n"
        "began = time.perf_counter()\n"
        "for n in range(2000): names.name(f'10.9.{n // 250}.{n % 250}')\n"
        "took = time.perf_counter() - began\n"
        "end = time.monotonic() + 10\n"
        "while len(names._busy) < resolver.WORKERS and time.monotonic() < end: time.sleep(0.002)\n"
        "print(took < 1, len(names._busy), len(names._waiting), len(names._known))\n"
    )
    with DemoNamespace() as client, DemoNamespace(beside=client) as server:
        veth.connect(client, server)
        began = time.monotonic()
        found = in_other_files(client, {"resolv.conf": conf, "nsswitch.conf": switch}, code)
        took = time.monotonic() - began
    quick, busy, waiting, known = found.split()
    assert (quick, busy, known) == ("True", str(resolver.WORKERS), "0")
    # A worker that began late has taken its question from those that were kept.
    assert resolver.WAITING - resolver.WORKERS <= int(waiting) <= resolver.WAITING
    assert took < 20  # a lookup takes 30 s at least: the process did not wait for any

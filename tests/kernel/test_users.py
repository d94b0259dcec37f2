"""Names of users where the name service does not answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from tcptop.demo import linux, sockets
from tcptop.demo.namespace import DemoNamespace
from tcptop.sources import users as users_module
from tcptop.sources.users import UserNames, login_name

CLONE_NEWNS = 0x20000


def without_passwd(fifo: str) -> None:
    """Who asks for a user waits for ever: nobody writes into /etc/passwd, which is a FIFO now."""
    linux.unshare(CLONE_NEWNS)
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["mount", "--bind", fifo, "/etc/passwd"], check=True)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can replace /etc/passwd")
def test_a_name_service_that_does_not_answer(namespace: DemoNamespace, tmp_path: Path) -> None:
    namespace.run(sockets.listening)
    os.mkfifo(tmp_path / "passwd")
    helper = namespace.helper()
    helper.run(without_passwd, str(tmp_path / "passwd"))
    inside = ["nsenter", "-t", str(helper.pid), "-n", "-m"]
    command = [*inside, sys.executable, "-m", "tcptop", "snapshot", "--format", "json"]
    done = subprocess.run(command, capture_output=True, timeout=60, check=True)
    snapshot: dict[str, Any] = json.loads(done.stdout)
    assert [row["user"] for row in snapshot["sockets"]] == ["0"]
    assert any("the name service" in note for note in snapshot["collector"]["notes"])


def test_what_is_told_late_is_known_later(monkeypatch: pytest.MonkeyPatch) -> None:
    told = Event()

    def ask(uid: int) -> str:
        assert uid < 2 or told.wait(60)
        return login_name(uid)

    users = UserNames(1.0, ask)
    early = users.of({0, 1, 999_999})
    assert early == {0: login_name(0), 1: login_name(1)}
    monkeypatch.setattr(users_module, "SAID_S", 0.0)
    assert len([*users.notes()]) == 1
    monkeypatch.setattr(users_module, "SAID_S", 1000.0)
    assert not [*users.notes()]  # it may be the host that is busy
    monkeypatch.setattr(users_module, "SAID_S", 0.0)
    told.set()
    assert users._asking
    users._asking.join()
    assert users.of({0, 999_999})[999_999] == "999999"
    assert not [*users.notes()]
    assert early.keys() == {0, 1}  # it belongs to a sample


def test_nobody_waits_twice_for_the_same_question() -> None:
    asked, told = Event(), Event()

    def ask(uid: int) -> str:
        asked.set()
        told.wait(60)
        return str(uid)

    users = UserNames(0.0, ask)
    assert users.of({7}) == {}
    assert asked.wait(60)
    first = users._asking
    assert users.of({7, 8}) == {}
    assert users._asking is first
    told.set()

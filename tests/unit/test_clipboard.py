"""What is copied: the bytes for the terminal, also through a real tmux, and the file."""

import os
import re
import shutil
import stat
import subprocess
import tempfile
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tcptop.tui.terminal import clipboard

DEADLINE = 40.0


@pytest.fixture
def place(tmp_path: Path) -> dict[str, str]:
    return {"XDG_RUNTIME_DIR": str(tmp_path), "TERM": "xterm-256color"}


def decoded(sequence: str) -> str:
    found = re.fullmatch(r"\x1b\]52;c;([A-Za-z0-9+/=]*)\a", sequence)
    assert found
    return b64decode(found[1]).decode()


def test_the_clipboard_and_the_file(place: dict[str, str], tmp_path: Path) -> None:
    written: list[str] = []
    text = "ss -tanpoi 'src 10.0.0.1:80 and dst 10.0.0.2:5432'\nπ\t…"
    said = clipboard.copy(text, written.append, place)
    path = tmp_path / "tcptop.clip"
    assert said == f"copied; also in {path}"
    assert [decoded(each) for each in written] == [text]
    assert path.read_text(encoding="utf-8") == text
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    clipboard.copy("second", written.append, place)
    assert path.read_text() == "second"
    assert os.listdir(tmp_path) == ["tcptop.clip"]


def test_nothing_in_it_is_obeyed(place: dict[str, str], tmp_path: Path) -> None:
    written: list[str] = []
    clipboard.copy("a\x1b[201~;rm\r\x07\x9b\x00b\udcff", written.append, place)
    assert decoded(written[0]) == "a?[201~;rm????b?"
    assert (tmp_path / "tcptop.clip").read_text() == "a?[201~;rm????b?"


def test_the_limit_is_one_of_bytes(place: dict[str, str]) -> None:
    most = "x" * clipboard.LIMIT
    assert len(clipboard.sequence(most, place)) == 100_000
    assert clipboard.sequence(most + "x", place) == ""
    assert clipboard.sequence("é" * (clipboard.LIMIT // 2 + 1), place) == ""


def test_what_does_not_fit_is_in_the_file(place: dict[str, str], tmp_path: Path) -> None:
    written: list[str] = []
    said = clipboard.copy("x" * 80_000, written.append, place)
    assert said == f"in {tmp_path / 'tcptop.clip'}; too long for the clipboard"
    assert not written
    assert (tmp_path / "tcptop.clip").stat().st_size == 80_000


@pytest.mark.parametrize("deaf", [{"TERM": "linux"}, {"TERM_PROGRAM": "Apple_Terminal"}])
def test_a_terminal_without_a_clipboard(
    place: dict[str, str], tmp_path: Path, deaf: dict[str, str]
) -> None:
    written: list[str] = []
    said = clipboard.copy("x", written.append, place | deaf)
    assert said == f"in {tmp_path / 'tcptop.clip'}; this terminal has no clipboard"
    assert not written


def test_no_file(place: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tcptop.clip").mkdir()
    written: list[str] = []
    said = clipboard.copy("x", written.append, place)
    assert said == "copied, if the terminal has a clipboard (OSC 52)"
    said = clipboard.copy("x" * 80_000, written.append, place)
    assert said == "not copied: no clipboard for it, and no file: Is a directory"
    assert os.listdir(tmp_path) == ["tcptop.clip"]


def test_the_directory_of_another_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    own = tmp_path / f"tcptop-{os.geteuid()}.clip"
    for directory in ("/proc/1/root/nowhere", "", "relative", "/proc/sys/kernel"):
        if directory != "/proc/sys/kernel" or os.geteuid() != 0:
            assert clipboard.save("x", {"XDG_RUNTIME_DIR": directory}) == own


def test_a_link_that_lies_there_is_not_followed(place: dict[str, str], tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / "tcptop.clip").symlink_to(victim)
    clipboard.copy("x", lambda _: None, place)
    assert victim.read_text() == "mine"
    assert (tmp_path / "tcptop.clip").read_text() == "x"


def test_screen_is_given_pieces(place: dict[str, str]) -> None:
    plain = clipboard.sequence("y" * 5000, place)
    wrapped = clipboard.sequence("y" * 5000, place | {"STY": "1.pts"})
    pieces = re.findall(r"\x1bP(.*?)\x1b\\", wrapped, re.DOTALL)
    assert "".join(pieces) == plain
    assert all(len(piece) + 4 <= 768 for piece in pieces)
    assert "".join(f"\x1bP{piece}\x1b\\" for piece in pieces) == wrapped


class Tmux:
    """A tmux server of our own, in a directory of our own."""

    def __init__(self, directory: Path, name: str, options: str) -> None:
        self.socket = directory / name
        self.config = directory / f"{name}.conf"
        self.config.write_text(options)
        self.environ = {k: v for k, v in os.environ.items() if k not in ("TMUX", "STY")}
        self.environ |= {"TERM": "xterm-256color"}

    @property
    def words(self) -> list[str]:
        return ["tmux", "-S", str(self.socket), "-f", str(self.config)]

    def run(self, *words: str) -> str:
        done = subprocess.run(
            [*self.words, *words], capture_output=True, text=True, env=self.environ, timeout=20
        )
        return done.stdout

    def shows(self, command: str) -> None:
        self.run("new-session", "-d", "-x", "80", "-y", "24", command)

    def until(self, says: Callable[[str], bool], *words: str) -> None:
        """Wait until what a command of tmux prints is as it must be."""
        end = time.monotonic() + DEADLINE
        while not says(self.run(*words)):
            assert time.monotonic() < end, self.run("capture-pane", "-p")
            time.sleep(0.05)


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Callable[[str, str], Tmux]]:
    made: list[Tmux] = []
    short = Path(tempfile.mkdtemp(prefix="tt"))  # a socket's path has 108 bytes at most

    def make(name: str, options: str) -> Tmux:
        made.append(Tmux(short, name, options))
        return made[-1]

    yield make
    for each in made:
        each.run("kill-server")
    shutil.rmtree(short)


def wait_for(tmux: Tmux, text: str) -> None:
    tmux.until(text.__eq__, "show-buffer")


def bytes_for_tmux(path: Path, text: str) -> str:
    """A command that writes what tcptop would, once it is let go, and stays."""
    path.write_text(clipboard.sequence(text, {"TMUX": "/tmp/x"}))
    go = path.with_suffix(".go")
    return f"while [ ! -e {go} ]; do sleep 0.05; done; cat {path}; exec sleep 60"


def let_go(path: Path) -> None:
    path.with_suffix(".go").touch()


def test_tmux_takes_it(servers: Callable[[str, str], Tmux], tmp_path: Path) -> None:
    text = "ss -tn 'dst [::1]:80'"
    tmux = servers("a", "set -s set-clipboard on\nset -g allow-passthrough off\n")
    tmux.shows(bytes_for_tmux(tmp_path / "bytes", text))
    let_go(tmp_path / "bytes")
    wait_for(tmux, text)


def test_tmux_hands_it_on(servers: Callable[[str, str], Tmux], tmp_path: Path) -> None:
    """The outer tmux is the terminal of an inner one that takes nothing itself."""
    text = "x" * 3000
    outer = servers("o", "set -s set-clipboard on\n")
    inner = servers("i", "set -s set-clipboard external\nset -g allow-passthrough on\n")
    attach = " ".join([*inner.words, "new-session", f'"{bytes_for_tmux(tmp_path / "b", text)}"'])
    outer.shows(f"env -u TMUX {attach}")
    # Before there is a client there is nobody to hand it to.
    inner.until(bool, "list-clients")
    let_go(tmp_path / "b")
    wait_for(outer, text)
    assert inner.run("show-buffer") == ""

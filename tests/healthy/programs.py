"""Programs that run in a namespace until the load ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from shutil import chown

from tcptop.demo.held import until
from tcptop.demo.namespace import DemoNamespace

LONGEST_S = 120  # every client that can be told ends by itself after this
_ROOT = Path(__file__).parents[2]
_LISTEN = "0A"


@contextmanager
def running(
    namespace: DemoNamespace,
    words: Sequence[object],
    *,
    user: str = "",
    port: int = 0,
    stop: signal.Signals = signal.SIGTERM,
    never: str = "",
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program; enter once it listens on `port`.

    Raises RuntimeError if it ended by itself or has printed `never`, which is its word for failure.
    """
    with tempfile.TemporaryFile() as output:
        process = _start(namespace, [*_bound(user), *map(str, words)], output.fileno())
        try:
            if port:
                until(lambda: _listens(namespace, port) or _ended(process), f"port {port}", 20)
            yield process
            early = _ended(process)
        finally:
            _stop(process, stop)
        output.seek(0)
        said = output.read().decode(errors="replace")
        if early or (never and never in said):
            raise RuntimeError(f"{words[0]} ended early or failed: {said[-2000:]}")


def python(module: str, *words: object) -> list[object]:
    """The words that run one of this package's own servers or clients."""
    return [sys.executable, "-m", f"tests.healthy.{module}", *words]


@contextmanager
def home(user: str = "root") -> Iterator[Path]:
    """A directory of its own for a program of another user."""
    with tempfile.TemporaryDirectory(prefix="tcptop-healthy-") as name:
        chown(name, user, user)
        os.chmod(name, 0o755)
        yield Path(name)


def _bound(user: str) -> list[str]:
    """Die with the test, whatever happens to it; give up root where the program wants that."""
    identity = [f"--reuid={user}", f"--regid={user}", "--clear-groups"] if user else []
    return ["setpriv", "--pdeathsig=TERM", *identity, "--"]


def _start(namespace: DemoNamespace, words: list[str], output: int) -> subprocess.Popen[bytes]:
    with namespace.entered():
        return subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=_ROOT,
            start_new_session=True,
        )


def _ended(process: subprocess.Popen[bytes]) -> bool:
    return process.poll() is not None


def _stop(process: subprocess.Popen[bytes], how: signal.Signals) -> None:
    if _ended(process):
        return
    process.send_signal(how)
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _listens(namespace: DemoNamespace, port: int) -> bool:
    """Seen in /proc: a connection to try it out would be a part of the load."""
    rows = Path(f"/proc/{namespace.pid}/net/tcp").read_text().splitlines()[1:]
    return any((r[1][-4:], r[3]) == (f"{port:04X}", _LISTEN) for r in map(str.split, rows))

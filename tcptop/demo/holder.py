"""A forked process that runs functions on request and keeps the sockets they make."""

import gc
import os
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection, Pipe
from typing import Any, NoReturn, ParamSpec, TypeVar

from tcptop.demo import linux

P = ParamSpec("P")
T = TypeVar("T")

_LONGEST_ANSWER = 20.0  # seconds


class Holder:
    """A child process. It dies with the thread that made it, so make it in the main thread.

    `prepare` runs first, in the child; what it raises is raised here.
    """

    def __init__(self, prepare: Callable[[], object]) -> None:
        self._pipe, theirs = Pipe()
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            _live(theirs, parent, prepare)
        theirs.close()
        try:
            self._answer("start")
        except BaseException:
            self.close()
            raise

    def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a top-level function in the child and return, or raise, what it does there."""
        self._pipe.send((function, args, kwargs))
        result: T = self._answer(function.__name__)
        return result

    def close(self) -> None:
        """Kill the child, and with it all its sockets. A second call does nothing."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self._pipe.close()
            self.pid = 0

    def _answer(self, what: str) -> Any:
        if not self._pipe.poll(_LONGEST_ANSWER):
            raise TimeoutError(f"{what}: no answer from process {self.pid}")
        try:
            done, value = self._pipe.recv()
        except EOFError:
            raise ChildProcessError(f"{what}: process {self.pid} has ended") from None
        if not done:
            raise value
        return value


def _live(pipe: "Connection[Any, Any]", parent: int, prepare: Callable[[], object]) -> NoReturn:
    try:
        _detach(pipe.fileno())
        linux.die_with_parent()
        if os.getppid() == parent:
            _serve(pipe, prepare)
    finally:
        os._exit(0)  # never back into the parent's program


def _detach(keep: int) -> None:
    """Let go of what fork copied: the terminal, open files, handlers of Ctrl-C."""
    gc.freeze()  # a collected copy of a parent's socket would close one of our descriptors
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    os.closerange(3, keep)
    os.closerange(keep + 1, os.sysconf("SC_OPEN_MAX"))


def _serve(pipe: "Connection[Any, Any]", prepare: Callable[[], object]) -> None:
    pipe.send(_outcome(prepare))
    linux.die_with_parent()  # a change of credentials clears it (prctl(2))
    while True:
        try:
            function, args, kwargs = pipe.recv()
        except EOFError:
            return
        pipe.send(_outcome(function, *args, **kwargs))


def _outcome(function: Callable[..., object], *args: Any, **kwargs: Any) -> tuple[bool, object]:
    try:
        return True, function(*args, **kwargs)
    except Exception as error:
        return False, error

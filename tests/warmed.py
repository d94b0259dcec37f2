"""The process that has imported tcptop, and forks what tests.warm asks for."""

from __future__ import annotations

import fcntl
import gc
import importlib
import io
import os
import pickle
import pkgutil
import runpy
import socket
import subprocess
import sys
import termios
import threading
import traceback
from collections.abc import Mapping, Sequence
from typing import NamedTuple, NoReturn

import tcptop
from tcptop.demo import linux

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
REQUEST = 1 << 17  # bytes at most


class Asked(NamedTuple):
    words: Sequence[str]  # behind -m
    environ: Mapping[str, str]
    cwd: str
    session: bool
    terminal: bool


class Warmed:
    """Where it is asked: in a process of tests."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._lock = threading.Lock()
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            words = [sys.executable, "-m", "tests.warmed", str(theirs.fileno())]
            self._process = subprocess.Popen(
                words,
                env=environ,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )
        self._process.returncode = 0  # it ends with us: nobody waits for it

    def start(self, asked: Asked, streams: Sequence[int]) -> int:
        """The pid of a child of this process. Whose parent has ended is given to the nearest
        process before it that takes such: for so long we are that."""
        with self._lock, open("/proc/thread-self/ns/net") as network:
            linux._check(linux._libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl")
            try:
                descriptors = [*streams, network.fileno()]
                socket.send_fds(self._control, [pickle.dumps(asked)], descriptors)
                return int(self._control.recv(20))
            finally:
                linux._check(linux._libc.prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0), "prctl")


def serve(control: socket.socket) -> None:
    """Until the tests have ended."""
    while True:
        message, descriptors, *_ = socket.recv_fds(control, REQUEST, 4)
        if not message:
            return
        reader, writer = os.pipe()
        between = os.fork()
        if between == 0:
            pid = os.fork()
            if pid:
                os.write(writer, b"%d" % pid)
                os._exit(0)
            become(pickle.loads(message), descriptors)
        os.close(writer)
        os.waitpid(between, 0)
        control.send(os.read(reader, 20))
        for each in (reader, *descriptors):
            os.close(each)


def become(asked: Asked, descriptors: Sequence[int]) -> NoReturn:
    """What Python does between exec and the module, and the module."""
    code = 1
    try:
        linux.setns(descriptors[3], linux.CLONE_NEWNET)
        for fd, given in enumerate(descriptors[:3]):
            os.dup2(given, fd)
        os.closerange(3, 4096)
        if asked.session:
            os.setsid()
        if asked.terminal:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        os.chdir(asked.cwd)
        os.environ.clear()
        os.environ.update(asked.environ)
        sys.stdin, sys.stdout, sys.stderr = _stream(0), _stream(1), _stream(2)
        sys.argv = ["-m", *asked.words[1:]]
        sys.orig_argv = [sys.executable, "-m", *asked.words]
        sys.path[0] = asked.cwd
        gc.enable()
        runpy.run_module(asked.words[0], run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


def _stream(fd: int) -> io.TextIOWrapper:
    """As pylifecycle.c makes them in C.UTF-8."""
    at_once = fd > 0 and bool(os.environ.get("PYTHONUNBUFFERED"))
    below = open(fd, "wb" if fd else "rb", 0 if at_once else -1)  # noqa: SIM115 for its life
    return io.TextIOWrapper(
        below,
        encoding="utf-8",
        errors="backslashreplace" if fd == 2 else "surrogateescape",
        newline="\n",
        line_buffering=fd == 2 or (fd == 1 and not at_once and os.isatty(1)),
        write_through=at_once,
    )


def main() -> None:
    for each in pkgutil.walk_packages(tcptop.__path__, "tcptop."):
        if not each.name.endswith("__main__"):
            importlib.import_module(each.name)
    gc.collect()
    gc.freeze()
    serve(socket.socket(fileno=int(sys.argv[1])))


if __name__ == "__main__":
    main()

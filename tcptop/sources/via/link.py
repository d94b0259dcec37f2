"""The command, its pipes, and the answers that come through them."""

from __future__ import annotations

import os
import secrets
import select
import shlex
import subprocess
import time
import zlib
from collections.abc import Mapping
from contextlib import suppress
from importlib import resources

from tcptop.sources.via.errors import StalledError, ViaError, shown

HELLO = "hello 1 "
NOISE = 64 << 10  # bytes before the hello: what a profile or a banner says
LINE = 4096  # of a mark
PART = 128 << 20  # 250,000 sockets
PARTS, FEW = 1000, 8  # of an answer; of one that is packed
ERRORS = 2048  # bytes of its complaints that are kept
CHUNK = 1 << 20
STALL_S, ANSWER_S = 10.0, 120.0  # without a byte; of a whole answer, however it drips
END_S = 1.0
TURN_S = 0.2


class ShellLink:
    """A shell behind `command`, in which the program waits for requests, once it is greeted.
    Close it.

    `own_session`: without the terminal of this process, on which it then asks for no password.
    All of it raises ViaError.
    """

    def __init__(self, command: str, own_session: bool = False) -> None:
        self._command = command
        self._mark = f"tcptop-{secrets.token_hex(8)}"
        self._tail = f"\n{self._mark} ".encode()
        self._buffer, self._searched = bytearray(), 0
        self._errors, self._owed = b"", ""
        self.tools: Mapping[str, str] = {}
        self._child = self._started(own_session)
        pipes = (self._child.stdin, self._child.stdout, self._child.stderr)
        self._to, self._from, self._complaints = (pipe.fileno() for pipe in pipes if pipe)
        self._poll = select.poll()
        for number in (self._from, self._complaints):
            self._poll.register(number, select.POLLIN)
        for number in (self._to, self._from, self._complaints):
            os.set_blocking(number, False)

    def _started(self, own_session: bool) -> subprocess.Popen[bytes]:
        pipe = subprocess.PIPE
        try:
            return subprocess.Popen(
                [*shlex.split(self._command), "sh", "-s"],
                bufsize=0,
                stdin=pipe,
                stdout=pipe,
                stderr=pipe,
                start_new_session=own_session,
            )
        except (OSError, ValueError) as error:
            raise self.error(getattr(error, "strerror", None) or str(error)) from error

    def greet(self, within_s: float) -> None:
        """Send the program and hear what `tools` there are. Shells read their script ahead: the
        first request comes after this."""
        end = time.monotonic() + within_s
        program = resources.files("tcptop.sources.via").joinpath("program.sh").read_text()
        self._send(program.replace("@MARK@", self._mark).encode(), end)
        line, _ = self._part(within_s, end, NOISE)
        if not line.startswith(HELLO):
            raise self.error(f"no hello of ours: {shown(line.encode())}")
        self.tools = dict(word.partition("=")[::2] for word in line.split()[2:])

    def error(self, why: str) -> ViaError:
        return ViaError(f"{self._command}: {why}")

    def close(self) -> None:
        """End it, whatever it does: with its pipes, then by signals."""
        for pipe in (self._child.stdin, self._child.stdout, self._child.stderr):
            with suppress(OSError):
                if pipe:
                    pipe.close()
        for end in (self._child.terminate, self._child.kill):
            with suppress(subprocess.TimeoutExpired):
                self._child.wait(END_S)
                return
            with suppress(OSError):  # it is another user's, as under sudo
                end()
        with suppress(subprocess.TimeoutExpired):
            self._child.wait(END_S)

    def answer(self, request: str, most: int = PART) -> dict[str, bytes]:
        """The parts by name. One that stalled is waited for first, and dropped.

        Raises ViaError, StalledError.
        """
        if self._owed:
            self._collected(most)
        self._send(f"{request}\n".encode(), time.monotonic() + STALL_S)
        self._owed = request.split()[0]
        return self._collected(most)

    def unpacked(self, data: bytes) -> dict[str, bytes]:
        """The parts of an answer that came as one, by gzip. Raises ViaError and zlib.error."""
        packed = zlib.decompressobj(zlib.MAX_WBITS | 16)
        raw = packed.decompress(data, PART)
        if not packed.eof:
            raise self.error("what gzip made has no end")
        found: dict[str, bytes] = {}
        at = 0
        while (mark := raw.find(self._tail, at)) >= 0 and len(found) < FEW:
            line, _, _ = raw[mark + len(self._tail) : mark + LINE].partition(b"\n")
            found[line.decode("ascii", "replace").rpartition(" ")[0]] = raw[at:mark]
            at = mark + len(self._tail) + len(line) + 1
        return found

    def _collected(self, most: int) -> dict[str, bytes]:
        parts, end = {}, time.monotonic() + ANSWER_S
        for _ in range(PARTS):
            line, data = self._part(STALL_S, end, most)
            name = line.rpartition(" ")[0]  # after it the status
            parts[name] = data
            if name == self._owed:
                self._owed = ""
                return parts
        raise self.error("an answer without end")

    def _send(self, data: bytes, end: float) -> None:
        left = memoryview(data)
        while left:
            try:
                left = left[os.write(self._to, left) :]
            except BlockingIOError:
                if time.monotonic() > end:
                    raise StalledError(f"{self._command}: it takes nothing any more") from None
                self._pump()
            except (BrokenPipeError, ValueError):
                raise self._ended() from None

    def _part(self, stall_s: float, end: float, most: int) -> tuple[str, bytes]:
        """What the next mark says, and the bytes before it."""
        came = time.monotonic()
        while (found := self._next(most)) is None:
            now = time.monotonic()
            if self._pump():
                came = now
            if now - came > stall_s:
                raise StalledError(f"{self._command}: nothing has come for {now - came:.0f} s")
            if now > end:
                raise self.error("its answer takes too long")
        return found

    def _next(self, most: int) -> tuple[str, bytes] | None:
        at = self._buffer.find(self._tail, self._searched)
        if at < 0:
            self._searched = max(0, len(self._buffer) - len(self._tail) + 1)
            if len(self._buffer) > most:
                raise self.error(f"more than {most:,} bytes without an end")
            return None
        self._searched = at
        begin = at + len(self._tail)
        end = self._buffer.find(b"\n", begin, begin + LINE)
        if end < 0:
            if len(self._buffer) - begin > LINE:
                raise self.error("a line without end")
            return None
        line, data = bytes(self._buffer[begin:end]), bytes(self._buffer[:at])
        del self._buffer[: end + 1]
        self._searched = 0
        if line.endswith(b"\r"):
            raise self.error("it has a terminal there: leave out the option -t")
        return line.decode("ascii", "replace"), data

    def _pump(self) -> bool:
        """Take what has come; whether that was of an answer."""
        came = False
        for number, _ in self._poll.poll(TURN_S * 1000):
            if number == self._complaints:
                self._take_errors()
            else:
                came = self._take() or came
        return came

    def _take(self) -> bool:
        try:
            data = os.read(self._from, CHUNK)
        except BlockingIOError:
            return False
        if not data:
            raise self._ended()
        self._buffer += data
        return True

    def _take_errors(self) -> None:
        with suppress(BlockingIOError):
            data = os.read(self._complaints, CHUNK)
            if not data:
                self._poll.unregister(self._complaints)
            self._errors = (self._errors + data)[-ERRORS:]

    def _ended(self) -> ViaError:
        """With its own reason, where it gave one."""
        with suppress(subprocess.TimeoutExpired):
            self._child.wait(END_S)
        with suppress(KeyError, OSError):  # its end may already be read
            self._take_errors()
            self._buffer += os.read(self._from, NOISE)
        why = shown(self._errors) or shown(bytes(self._buffer)) or "it said nothing"
        code = self._child.returncode
        how = f" with status {code}" if code and code > 0 else ""
        return self.error(f"ended{how}: {why}")

"""A stranger behind `--via`: takes the program for what it is, and answers with what it likes.

`python liar.py KIND [sh -s]`; what is true of it comes from this host.
"""

from __future__ import annotations

import gzip
import os
import re
import struct
import sys

SEQUENCE = 123_456


def row(state: int = 1, length: int = 88, said: int | None = None) -> bytes:
    head = struct.pack("=IHHII", length if said is None else said, 20, 2, SEQUENCE, 0)
    body = head + bytes((2, state, 0, 0)) + bytes(length)
    return body[: length - 4] + b"\t\0\0\0"  # inode 9


def done() -> bytes:
    return struct.pack("=IHHIIi", 20, 3, 2, SEQUENCE, 0, 0)


DIGITS, LARGE = b"9" * 5000, b"9" * 10
ROOT = b"Uid:\t0\t0\t0\t0\nCapEff:\tffffffffff\n0 0 4294967295\n"
ANYBODY = b"Uid:\t9\t%s\t9\t9\nCapEff:\t%s\n0 0 4294967295\n" % (LARGE, DIGITS)
DUMPS = {
    "zeros": bytes(4096),
    "noise": bytes(range(1, 256)) * 64,
    "length 0": row(said=0),
    "length 2^32-1": row(said=0xFFFF_FFFF),
    "cut": row()[:60],
    "state 99": row(99) + done(),
    "other order": struct.pack(">IHHII", 88, 20, 2, SEQUENCE, 0) + bytes(72),
    "no gzip": row() + done(),
    "a bomb": row() + done(),
    "layouts": b"".join(row(length=88 + 4 * n) for n in range(300)),
}
UPTIMES = {"uptime nan": b"nan 1", "uptime inf": b"inf 1", "uptime none": b""}
LISTED = b"  7 dr-x------ 2 %s 0 5 Nov 28 17:00 /proc/%s/fd\n"


def host(kind: str) -> dict[str, bytes]:
    names = b"kernel/hostname:web\x1b[2J\x9b1\nkernel/osrelease:6.1\x1b]0;x\x07\n"
    long = b"net/ipv4/tcp_wmem:" + DIGITS + b"\n" if kind == "digits" else b""
    users = b"root\x1b[31m:x:0:0::/:\n" + b"x:x:" + DIGITS + b":0::/:\n"
    return {
        "namespaces": b"l 1 0 0 0 x /proc/self/ns/net -> net:[4026531840]\n",
        "rights": ANYBODY if kind == "digits" else ROOT,
        "link": b"1.2.3.4 99999999999999999999999 5.6.7.8 22",
        "users": users,
        "igmp": b"1\tlo\x1b[0m:\n",
        "inet6": b"",
        "time": DIGITS if kind == "digits" else b"1\n",
        "host": names + long,
    }


def answer(kind: str, request: str) -> dict[str, bytes]:
    word = request.split()[0]
    if word == "host":
        return host(kind)
    if word == "look":
        uptime = UPTIMES.get(kind, b"100.5 1")
        counters = b"Tcp: A B\nTcp: " + DIGITS + b" --5\n"
        return {"begin": uptime, "ss": DUMPS.get(kind, row() + done()), "look": counters}
    if word == "look-gzip":
        return {word: gzip.compress(bytes(200 << 20), 1) if kind == "a bomb" else DIGITS}
    if word == "tables":
        every = ((b"0", b"5"), (LARGE, LARGE), (DIGITS, b"6"), (b"0", DIGITS))
        return {"tables": b"".join(LISTED % each for each in every)}
    if word == "sockets":
        return {"sockets": b"/proc/5/fd/3 socket:[0]\n/proc/5/fd/%s socket:[9]\n" % LARGE}
    if word == "processes":
        facts = b"/proc/5/status:Name:\tx\x1b[2J\n/proc/5/stat:5 (x) S" + b" 1" * 40 + b"\n"
        files = facts + b"/proc/5/limits:Max open files " + DIGITS + b"\n"
        return {"spaces": b"", "facts": files, "process 5": b"a\0\x1b]0;b\x07", word: b""}
    return {word: b""}


def main(kind: str) -> None:
    out = sys.stdout.buffer
    program = b""
    while not (found := re.search(rb"^main (tcptop-\w+); exit\n", program, re.MULTILINE)):
        program += os.read(0, 65536)
    mark = found[1]
    out.write(b"\n%s hello 1 ss=ss find=find gzip=gzip\n" % mark)
    out.flush()
    for line in sys.stdin:
        if kind == "silent":
            continue
        if kind == "without end":
            while True:
                out.write(bytes(1 << 20))
        if kind == "a line without end":
            out.write(b"\n%s %s" % (mark, b"x" * 100_000))
        if kind == "parts without end":
            for _ in range(100_000):
                out.write(b"\n%s part 0\n" % mark)
        if kind == "dies":
            os._exit(3)
        for name, data in answer(kind, line.strip()).items():
            out.write(data + b"\n%s %s 0\n" % (mark, name.encode()))
        out.flush()


if __name__ == "__main__":
    main(sys.argv[1])

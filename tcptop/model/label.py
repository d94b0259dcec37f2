"""What the operator calls a process, from its arguments: `python3` says little."""

from __future__ import annotations

import re
from collections.abc import Sequence

LONGEST = 60

# Programs that run what they are given, and which of their options take the next argument.
_VALUES = {
    "python": ("-W", "-X", "-Q"),
    "pypy": ("-W", "-X"),
    "node": ("-r", "--require", "--import", "--loader", "--experimental-loader", "-C"),
    "ruby": ("-I", "-r", "-C", "-E"),
    "perl": ("-I",),
    "php": ("-c", "-d", "-z"),
    "java": (
        *("-cp", "-classpath", "--class-path", "-p", "--module-path", "--add-modules"),
        *("--add-opens", "--add-exports", "--add-reads", "--patch-module"),
    ),
    "dotnet": (), "mono": (), "lua": ("-l",), "luajit": ("-l",), "deno": (), "bun": (),
    "sh": ("-o",), "bash": ("-o", "-O", "--rcfile", "--init-file"), "dash": ("-o",),
    "ash": ("-o",), "zsh": ("-o",), "ksh": ("-o",), "busybox": (), "beam.smp": (),
}  # fmt: skip
_SHELLS = {"sh", "bash", "dash", "ash", "zsh", "ksh"}
_CODE = {"-c", "-e", "-p", "--eval", "--print"}  # the next argument is the program itself
_CODE_OF = {"php": {"-r"}, "java": set(), "ruby": {"-e"}, "perl": {"-e", "-E"}}
_COMMANDS = {"deno": {"run", "serve"}, "bun": {"run"}, "dotnet": {"exec", "run"}}
_THREADS = ("MainThread",)  # Node.js calls itself so
_WORKERS = ("cache-main",)  # varnishd's, whose program says more
_VERSION = re.compile(r"[\d.]+$")


UNNAMED = "(unnamed)"  # neither a name nor a command line


def name_of(comm: str, arguments: Sequence[str]) -> str:
    """What the kernel calls a process (comm); its program where that is empty or blank, as a
    process may make it (PR_SET_NAME), because no row or sentence has a subject then."""
    if comm.strip():
        return comm
    program = arguments[0].rpartition("/")[2] if arguments else ""
    return program[:LONGEST] if program.strip() else UNNAMED


def label_of(name: str, arguments: Sequence[str]) -> str | None:
    """The script, module, jar or class of an interpreter, or the title that a program has set;
    None where it says no more than `name`, the command's (comm, 15 bytes at most).

    leaky.py of `python3 -u /srv/leaky.py --fast`; http.server of `python3 -m http.server`.
    """
    found = _title(arguments) or (_program(arguments) if _says_little(name) else None)
    if name in _WORKERS and arguments:
        found = arguments[0].rpartition("/")[2]
    if not found or not found.strip():
        return None
    same = found == name or (len(name.encode()) == 15 and found.startswith(name))
    return None if same and len(found) <= 15 else found[:LONGEST]


def _says_little(name: str) -> bool:
    """Whether it is an interpreter's: what a program calls itself (PR_SET_NAME) says more."""
    return interpreter(name) is not None or name in _THREADS


def _title(arguments: Sequence[str]) -> str | None:
    """A program that writes over its arguments leaves one, with what follows it as blanks:
    "nginx: worker process", "postgres: checkpointer"."""
    text = " ".join(arguments).strip() if arguments and not any(arguments[1:]) else ""
    head, colon, _ = text.partition(":")
    plain = colon and "/" not in head and " " in text and not head.startswith("-")
    return text if plain and text[len(head) + 1 : len(head) + 2] == " " else None


def _program(arguments: Sequence[str]) -> str | None:
    if not arguments:
        return None
    kind = interpreter(arguments[0])
    if kind is None:
        return None
    rest = list(arguments[1:])
    if rest and rest[0] in _COMMANDS.get(kind, ()):
        rest.pop(0)
    return _java(rest) if kind == "java" else _script(kind, rest)


def interpreter(program: str) -> str | None:
    """python of /usr/bin/python3.11; None for a program that runs no other."""
    base = program.rpartition("/")[2].lstrip("-")
    plain = _VERSION.sub("", base).rstrip("-")
    plain = {"nodejs": "node", "pythonw": "python"}.get(plain, plain)
    return plain if plain in _VALUES else None


def _script(kind: str, arguments: list[str]) -> str | None:
    code = _CODE_OF.get(kind, _CODE)
    while arguments:
        word = arguments.pop(0)
        if word == "-m" and kind in ("python", "pypy"):
            return arguments[0] if arguments else None
        if word in code or (kind in _SHELLS and re.fullmatch(r"-[a-z]*c[a-z]*", word)):
            return None
        if word in ("-", "-s", "--interactive"):
            return None
        if word in _VALUES[kind]:
            arguments[:1] = []
        elif not word.startswith(("-", "+")) or word == "--":
            word = arguments[0] if word == "--" and arguments else word
            return word.rpartition("/")[2] or None
    return None


def _java(arguments: list[str]) -> str | None:
    """The jar, or the class that is started, or its module."""
    while arguments:
        word = arguments.pop(0)
        if word in ("-jar", "-m", "--module"):
            return arguments[0].rpartition("/")[2] if arguments else None
        if word in _VALUES["java"]:
            arguments[:1] = []
        elif not word.startswith(("-", "@")):
            return word
    return None

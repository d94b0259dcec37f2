"""Processes of another host: what `grep` finds in their files, each line behind its file's name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from tcptop.model.label import label_of, name_of
from tcptop.model.sample import Process
from tcptop.sources import procfs
from tcptop.sources.processes import CMDLINE
from tcptop.sources.via.answers import MAX_U32

_LINE = re.compile(rb"^/proc/(\d{1,10})/(status|limits|cgroup|stat):(.*)$", re.MULTILINE)
_NETNS = re.compile(rb" /proc/(\d{1,10})/ns/net -> net:\[(\d{1,10})\]$", re.MULTILINE)
_NAME = re.compile(rb"^Name:\t(.*)$", re.MULTILINE)
_UID = re.compile(rb"^Uid:\s+\d+\s+(\d{1,10})\s", re.MULTILINE)
_ESCAPED = re.compile(rb"\\(n|\\)")  # in a name (proc_task_name, fs/proc/array.c)
NAME = 64


def processes(pids: Sequence[int], parts: Mapping[str, bytes]) -> dict[int, Process]:
    """Those of the pids that were there. Raises KeyError."""
    lines: dict[int, dict[bytes, list[bytes]]] = {}
    for found in _LINE.finditer(parts["facts"]):
        lines.setdefault(int(found[1]), {}).setdefault(found[2], []).append(found[3])
    spaces = {int(m[1]): int(m[2]) & MAX_U32 for m in _NETNS.finditer(parts["spaces"])}
    made = {}
    for pid in pids:
        files = {name: b"\n".join(of) for name, of in lines.get(pid, {}).items()}
        process = _process(pid, files, parts.get(f"process {pid}"), spaces.get(pid))
        if process:
            made[pid] = process
    return made


def _process(
    pid: int, files: Mapping[bytes, bytes], command: bytes | None, netns: int | None
) -> Process | None:
    status = files.get(b"status", b"")
    comm, uid = _NAME.search(status), _UID.search(status)
    started = procfs.start_time(files.get(b"stat", b""))
    if not comm or started is None or command is None:
        return None
    arguments = procfs.arguments(command[:CMDLINE])
    name = name_of(procfs.text(_unescaped(comm[1]))[:NAME], arguments)
    return Process(
        pid=pid,
        name=name,
        cmdline=procfs.cmdline(command[:CMDLINE]),
        uid=int(uid[1]) & MAX_U32 if uid else None,
        start_time=started,
        cgroup=procfs.cgroup(files.get(b"cgroup", b"")),
        open_fds=None,
        fd_limit=procfs.open_files_limit(files.get(b"limits", b"")),
        netns=netns,
        label=label_of(name, arguments),
    )


def _unescaped(name: bytes) -> bytes:
    return _ESCAPED.sub(lambda m: b"\n" if m[1] == b"n" else b"\\", name)

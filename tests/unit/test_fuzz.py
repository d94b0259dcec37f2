"""What no kernel writes, from bytes to all that is made of them: told in a line, or harmless.

The same every time; TCPTOP_FUZZ_SEED makes other ones.
"""

from __future__ import annotations

import io
import os
import random
import re
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tcptop.model import tcp
from tcptop.model.sample import Kernel, Sample
from tcptop.model.table import COLUMNS, SocketTable
from tcptop.sources import proc_net_tcp, procfs, wire
from tcptop.sources.cgroups import find_mount
from tcptop.sources.counters import SYSCTLS
from tcptop.sources.process_facts import watched
from tcptop.sources.wire import WireError
from tcptop.views import csv, json, markdown, ndjson, plugin, text
from tests.unit.prepared import NETNS, everything, later, selected
from tests.unit.prepared import kernel as prepared_kernel
from tests.unit.test_procfs import LIMITS, NETSTAT, SNMP, SOCKSTAT
from tests.unit.test_wire import CAPTURES, SEQ, decoded, done, message

FROM = int(os.environ.get("TCPTOP_FUZZ_SEED", "0"))
ODD = [
    *("", "-", "--5", "-0", "+3", "0x1", "1_0", "1e9", "nan", "\u0663", "\u00b2", "a", ":"),
    "9" * 20,
    *("9" * 5000, "-1", "0", "4294967296", "9223372036854775808", "18446744073709551615"),
]


FILES = (
    *(LIMITS, NETSTAT, SNMP, SOCKSTAT),
    Path("/proc/self/stat").read_bytes(),
    Path("/proc/self/status").read_bytes(),
    Path("/proc/self/cgroup").read_bytes(),
    Path("/proc/self/mountinfo").read_bytes(),
    b"entries searched found\n00000005 0000000a 000000ff\n00000005 00000001 00000001\n",
    b"pos:\t0\ntfd:        3 events:       19 data:  3  pos:0 ino:7203a8 sdev:9\n",
)
ROW = (
    b"   0: 0100007F:1F90 0100007F:D431 01 00000000:00000000 00:00000000 00000000"
    b"     0        0 4711 1 0000000000000000 20 4 30 10 -1\n"
)
PARSERS: dict[str, Callable[[bytes], object]] = {
    "counters": procfs.counters,
    "sockstat": procfs.sockstat,
    "conntrack": procfs.conntrack,
    "start_time": procfs.start_time,
    "open_files_limit": procfs.open_files_limit,
    "cgroup": procfs.cgroup,
    "capabilities": procfs.capabilities,
    "find_mount": find_mount,
    "watched": lambda data: [*watched(data)],
    "tcp": lambda data: proc_net_tcp.parse(data + ROW, NETNS),
}


def tried(*samples: Sample) -> None:
    """All that is made of samples, in every form."""
    selection, out = selected(*samples), io.StringIO()
    for view in (json, ndjson, text, markdown):
        view.write(selection, out)
    csv.write(selection, out, frozenset(), None)
    json.write_findings(selection, out)
    plugin.write(selection, out)


def noisy(table: SocketTable, dice: np.random.Generator) -> SocketTable:
    """Other numbers in a third of all fields; families and states remain those that there are."""
    for name in COLUMNS.keys() - {"netns", "family", "state", "info_size", "memory_count", "has"}:
        column = getattr(table, name)
        whole = column.view(np.uint8).reshape(len(table), -1)
        noise = dice.integers(0, 256, whole.shape, np.uint8)
        noise[dice.random(len(table)) < 0.3] = dice.choice([0, 255])
        rows = dice.random(len(table)) < 0.3
        whole[rows] = noise[rows]
    table.family[:] = dice.choice([tcp.AF_INET, tcp.AF_INET6], len(table))
    table.state[:] = dice.integers(tcp.ESTABLISHED, tcp.CLOSING + 1, len(table))
    table.netns[:] = NETNS
    return table


@pytest.mark.parametrize("seed", range(FROM, FROM + 40))
def test_any_numbers_in_a_dump(seed: int) -> None:
    dice = np.random.default_rng(seed)
    tables = [noisy(decoded(CAPTURES["everything"])[0], dice) for _ in range(2)]
    first = everything(sockets=tables[0])
    tried(first, later(first, 1.0), later(first, 2.0, sockets=tables[1]), later(first, 400.0))


@settings(max_examples=300, deadline=None)
@given(st.binary(min_size=0, max_size=400), st.integers(0, 0xFFFF))
def test_any_bytes_for_a_dump(data: bytes, kind: int) -> None:
    header = struct.pack("=IHHII", 16 + len(data), kind if kind & 1 else 20, 2, SEQ, 0)
    with suppress(WireError):
        decoded(header + data)


@pytest.mark.parametrize("code", [-1, -13, -4095, 1, (1 << 31) - 1])
def test_an_error_number_is_told(code: int) -> None:
    assert decoded(done(code))[1] == code


@pytest.mark.parametrize("code", [-4096, -(1 << 31)])
def test_what_is_no_error_number_is_told(code: int) -> None:
    """os.strerror would not take it."""
    with pytest.raises(WireError, match=str(-code)):
        decoded(done(code))


@pytest.mark.parametrize("state", [0, 12, 13, 255])
def test_a_state_that_there_is_not_is_told(state: int) -> None:
    row = bytearray(message())
    row[17] = state
    with pytest.raises(WireError, match=f"a socket in state {state}"):
        decoded(bytes(row))
    text = ROW.replace(b" 01 ", b" %02X " % state)
    with pytest.raises(WireError, match=f"a socket in state {state}"):
        wire.check(proc_net_tcp.parse(text, NETNS))


def test_a_family_that_there_is_not_is_told() -> None:
    with pytest.raises(WireError, match="a socket of family 1"):
        decoded(message(family=1))


def test_layouts_are_bounded() -> None:
    """Each costs a look at all rows that are left."""
    rows = [message((200, bytes(4 * (n % 50))), (n % 90 + 100, b"")) for n in range(5000)]
    with pytest.raises(WireError, match="more than 256 kinds of messages"):
        decoded(b"".join(rows))
    with pytest.raises(WireError, match="65 attributes in a message"):
        decoded(message(*[(tcp.MARK, bytes(4))] * 65))


def odd(data: bytes, dice: random.Random) -> bytes:
    """A file of /proc with other words in the places of some, or cut, or its lines out of order."""
    words = re.split(r"(\s+)", data.decode())
    for at in range(0, len(words), 2):
        if dice.random() < 0.1:
            words[at] = dice.choice(ODD)
    lines = "".join(words).splitlines(keepends=True)
    if dice.random() < 0.3:
        dice.shuffle(lines)
    whole = "".join(lines).encode()
    return whole[: dice.randrange(len(whole) + 1)] if dice.random() < 0.3 else whole


@pytest.mark.parametrize("seed", range(FROM, FROM + 60))
def test_any_words_in_proc(seed: int) -> None:
    dice = random.Random(seed)
    for parse in PARSERS.values():
        for each in FILES:
            parse(odd(each, dice))
    kernels = [kernel(dice) for _ in range(2)]
    first = everything(kernel=(kernels[0],))
    tried(first, later(first, 1.0), later(first, 2.0, kernel=(kernels[1],)))


def kernel(dice: random.Random) -> Kernel:
    """All that the findings read of a kernel."""
    sysctls = dict.fromkeys(SYSCTLS, "4096 131072 6291456") | {**prepared_kernel().sysctls}
    netstat, snmp, sockstat = (
        odd(Path(f"/proc/net/{name}").read_bytes(), dice)
        for name in ("netstat", "snmp", "sockstat")
    )
    return Kernel(
        NETNS,
        {**procfs.counters(netstat), **procfs.counters(snmp)},
        procfs.sockstat(sockstat),
        {name: procfs.text(odd(value.encode(), dice)) for name, value in sysctls.items()},
    )

"""What can be asked of a socket: each field's values, in words, and how they are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from tcptop.analysis.filter import hosts
from tcptop.analysis.filter.nodes import (
    Cgroup,
    Choice,
    Device,
    Expression,
    HostMatch,
    Mark,
    Not,
    Number,
    Operator,
    Port,
    Service,
    Side,
    Span,
    Text,
    Word,
    all_of,
    any_of,
)
from tcptop.analysis.filter.words import elements, integer, quantity, whole, wrong
from tcptop.model.dataclass import dataclass
from tcptop.model.owner import OWNER_KINDS
from tcptop.model.tcp import TIMERS

Builder = Callable[["Field", Operator, Word], Expression]

# Times are compared in microseconds, the finest unit of the kernel: whole numbers stay exact.
_TIME = {"us": 1.0, "µs": 1.0, "ms": 1e3, "s": 1e6, "m": 60e6, "h": 3600e6, "d": 86_400e6}
_SECONDS = _TIME | {"": _TIME["s"]}
_MILLISECONDS = _TIME | {"": _TIME["ms"]}  # as ss prints rtt
_BYTES = {"": 1.0, "b": 1.0} | {
    unit + suffix: 1024.0**power
    for power, unit in enumerate("kmg", start=1)
    for suffix in ("", "b", "ib")
}
_PERCENT = {"": 1.0, "%": 1.0}
_COUNT = {"": 1.0}
# How ss writes idiag_timer, beside the words of the snapshot.
_ALIASES = {"on": "retransmit", "off": "none"}


@dataclass(frozen=True)
class Field:
    """`expected` says what may follow, `words` are those of a closed set."""

    name: str
    build: Builder
    expected: tuple[str, ...]
    words: tuple[str, ...] = ()
    units: Mapping[str, float] | None = None
    ordered: bool = False


def _host(field: Field, operator: Operator, value: Word) -> Expression:
    side: Side = "src" if field.name == "src" else "dst"
    found = [_matched(side, hosts.endpoint(word)) for word in elements(value)]
    return _equal(operator, any_of(*found))


def _matched(side: Side, end: hosts.Endpoint) -> Expression:
    match = HostMatch(side, (end.address,) if end.address else (), end.port)
    return match if end.device is None else all_of(match, Device(end.device))


def _port(field: Field, operator: Operator, value: Word) -> Expression:
    words = list(elements(value))
    items = tuple(hosts.port(word) for word in words)
    ranged = any(item == hosts.ANY_PORT or _is_range(item) for item in items)
    if operator not in ("=", "!=") and (ranged or len(items) > 1):
        raise wrong(words[0], f"{operator} takes a single port", "a port such as 1024")
    return Port(field.name, operator, items)


def _is_range(item: Span | Service) -> bool:
    return isinstance(item, Span) and item.low != item.high


def _equal(operator: Operator, found: Expression) -> Expression:
    """ss's != is `not`: true also where nothing is known."""
    return Not(found) if operator == "!=" else found


def _device(field: Field, operator: Operator, value: Word) -> Expression:
    return _equal(operator, Device(whole(value).text))


def _cgroup(field: Field, operator: Operator, value: Word) -> Expression:
    path = whole(value).text
    for mount in ("/sys/fs/cgroup/unified", "/sys/fs/cgroup"):
        if path == mount or path.startswith(mount + "/"):
            path = path.removeprefix(mount)
            break
    return _equal(operator, Cgroup(path.strip("/").removeprefix("./").removeprefix(".")))


def _mark(field: Field, operator: Operator, value: Word) -> Expression:
    word = whole(value)
    mark, slash, mask = word.text.partition("/")
    numbers = integer(mark), integer(mask) if slash else 0xFFFF_FFFF
    if any(number is None or number > 0xFFFF_FFFF for number in numbers):
        raise wrong(word, f'"{word.text}" is not a mark', *field.expected)
    return _equal(operator, Mark(numbers[0] or 0, numbers[1] or 0))


def _number(field: Field, operator: Operator, value: Word) -> Expression:
    words = list(elements(value))
    ranges = tuple(_range(field, word) for word in words)
    if operator not in ("=", "!=") and (len(ranges) > 1 or ranges[0][0] != ranges[0][1]):
        raise wrong(words[0], f"{operator} takes a single number", *field.expected)
    return Number(field.name, operator, ranges)


def _range(field: Field, word: Word) -> tuple[float, float]:
    units = field.units or _COUNT
    low, dash, high = word.text.partition("-")
    first = quantity(low, units)
    last = quantity(high, units) if dash else first
    if first is None or last is None or first > last:
        raise wrong(word, f'"{word.text}" is not a valid {field.name}', *field.expected)
    return first, last


def _text(field: Field, operator: Operator, value: Word) -> Expression:
    words = list(elements(value))
    for word in words:
        if not word.text:
            raise wrong(word, "a name is missing", *field.expected)
    return Text(field.name, operator, tuple(word.text for word in words))


def _choice(field: Field, operator: Operator, value: Word) -> Expression:
    return Choice(field.name, operator, tuple(_chosen(field, word) for word in elements(value)))


def _chosen(field: Field, word: Word) -> str:
    text = word.text.lower()
    if field.name == "timer":
        text = _ALIASES.get(text, text)
    if text not in field.words:
        raise wrong(word, f'"{word.text}" is not a valid {field.name}', *field.words)
    return text


def _fields() -> Iterator[Field]:
    for name in ("src", "dst"):
        yield Field(name, _host, hosts.ADDRESS_HINT)
    for name in ("sport", "dport", "port"):
        yield Field(name, _port, hosts.PORT_HINT, ordered=True)
    yield Field("dev", _device, ("an interface such as eth0",))
    yield Field("fwmark", _mark, ("a mark such as 1 or 0x10/0xf0",))
    yield Field("cgroup", _cgroup, ("a cgroup path such as system.slice/nginx.service or *nginx*",))
    yield Field("process", _text, ('a process name such as nginx, ngin* or "two words"',))
    yield Field("command", _text, ("a command line such as *leaky.py*",))
    yield Field("unit", _text, ("a systemd unit such as nginx.service",))
    yield Field("container", _text, ("a container's name, id, pod or runtime such as web-*",))
    yield Field("user", _text, ("a user name or uid",))
    yield Field("netns", _text, ("a network namespace's name or inode",))
    yield Field("pid", _number, ("a pid",), (), _COUNT, True)
    for name in ("recvq", "sendq"):
        yield Field(name, _number, ("a size such as 100, 64k or 1M",), (), _BYTES, True)
    yield Field("fill", _number, ("a percentage such as 80%",), (), _PERCENT, True)
    for name in ("age", "idle"):
        yield Field(name, _number, ("a time such as 30s, 5m or 1h30m",), (), _SECONDS, True)
    yield Field("rtt", _number, ("a time such as 100ms or 500us",), (), _MILLISECONDS, True)
    for name in ("drops", "retrans", "backoff"):
        yield Field(name, _number, ("a number",), (), _COUNT, True)
    for name, words in CHOICES.items():
        yield Field(name, _choice, words, words)


CHOICES = {
    "timer": (*TIMERS[1:], "none"),
    "keepalive": ("on", "off", "unknown"),
    "owner": OWNER_KINDS,
}
FIELDS = {field.name: field for field in _fields()}

"""Pages of `tcptop explain`: complete, readable, and naming only what exists."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tcptop import explain
from tcptop.analysis.filter import parse, states
from tcptop.analysis.findings.rule import Rule
from tcptop.analysis.findings.rules import RULES
from tcptop.columns import KERNEL, LISTINGS
from tcptop.explain import Page
from tcptop.sources import counters, procfs
from tcptop.tui.views import VIEWS

FINDINGS = """
accept-queue-overflow syn-queue-full syn-flood listener-drops
handshake-unfinished close-wait-leak close-wait-unread
ephemeral-port-exhaustion connection-churn time-wait-pressure zero-window-peer black-hole
send-queue-growing recv-queue-unread connect-unanswered keepalive-missing keepalive-too-slow
nagle-delayed-ack half-closed retransmission-rate resets fd-limit orphan-or-memory-pressure
conntrack-full risky-sysctl self-connect socket-leak
mtu-black-hole packets-rejected nat-ports-exhausted
connections-growing requests-unanswered requests-queued turned-away destination-failing
inherited-connections clients-reset slow-path connects-delayed
"""
TOPICS = """
handshake teardown queues ports time-wait keepalive nagle pooling silent-hangs backlog sysctls
mtu checksums nat health-checks leaks privileges
"""
SPELLINGS = {
    "established": "ESTABLISHED established ESTAB estab Established",
    "syn-sent": "SYN_SENT SYN-SENT syn-sent synsent",
    "syn-recv": "SYN_RECV SYN-RECV syn-recv synrecv syn-rcv SYN_RCV",
    "fin-wait-1": "FIN_WAIT1 FIN-WAIT-1 fin-wait-1 fin_wait1 fin-wait1 finwait1 FIN_WAIT_1",
    "fin-wait-2": "FIN_WAIT2 FIN-WAIT-2 fin-wait-2 fin_wait2 finwait2",
    "time-wait": "TIME_WAIT TIME-WAIT time-wait timewait",
    "close": "CLOSE close closed CLOSED unconnected UNCONN unconn",
    "close-wait": "CLOSE_WAIT CLOSE-WAIT close-wait close_wait closewait CloseWait",
    "last-ack": "LAST_ACK LAST-ACK last-ack lastack",
    "listen": "LISTEN listen listening LISTENING",
    "closing": "CLOSING closing",
}
STATE_MASKS = {states.mask(name) for name in SPELLINGS}
HEADINGS = (
    "What it is",
    "What the kernel does",
    "What each end sees",
    "Confirm it",
    "Fix it",
    "Do not",
    "See also",
)
THRESHOLDS = "Thresholds"  # of the findings
COMMAND = re.compile(r"^ {6,}((?:ss|nstat|sysctl|tcptop) .*)$", re.MULTILINE)
CAMEL = re.compile(r"\b(?:TCP[A-Z]\w+|[A-Z][a-z]+(?:[A-Z][A-Z0-9]*[a-z]+|[A-Z]+\b)+)")
NO_COUNTERS = """
WebSocket LimitNOFILE ListenBacklog PostgreSQL ServerSocket NodePorts MongoDB WireGuard TCPMSS
"""
# Found only where connection tracking is loaded.
CONNTRACK = {"nf_conntrack", "nf_conntrack_buckets", "nf_conntrack_tcp_timeout_established"}

pages = pytest.mark.parametrize("page", explain.pages(), ids=lambda page: page.name)


def sections(page: Page) -> dict[str, str]:
    """What stands under each heading, in order."""
    parts = re.split(r"^(\S.*)\n", page.text.partition("\n")[2], flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def commands(page: Page, name: str) -> Iterator[list[str]]:
    """The words of each command of that name, up to a pipe."""
    for line in COMMAND.findall(page.text):
        if line.startswith(f"{name} "):
            words = list(shlex.shlex(line, posix=True, punctuation_chars=True))
            assert not set(words) & {"<", ">", "(", ")", "&", ";"}, f"not quoted: {line}"
            yield shlex.split(line.partition(" | ")[0])


def known_counters() -> set[str]:
    """As nstat names them: section and name."""
    found = {**procfs.counters(_read("netstat")), **procfs.counters(_read("snmp"))}
    found |= procfs.icmp6(_read("snmp6"))
    return {section + name for section, names in found.items() for name in names}


def _read(name: str) -> bytes:
    return Path(f"/proc/net/{name}").read_bytes()


def test_every_finding_state_and_topic_has_a_page_and_there_is_no_other() -> None:
    by_kind = {
        kind: [page.name for page in explain.pages() if page.kind == kind] for kind in explain.KINDS
    }
    assert by_kind["finding"] == sorted(FINDINGS.split())
    assert by_kind["state"] == sorted(SPELLINGS)
    assert by_kind["topic"] == sorted(set(TOPICS.split()) - set(SPELLINGS))  # one page on TIME_WAIT
    for word in (*FINDINGS.split(), *TOPICS.split()):
        page = explain.page(word)
        assert page is not None
        assert page.name == word


def test_each_spelling_of_a_state_that_the_filter_takes_finds_its_page() -> None:
    for name, spellings in SPELLINGS.items():
        mask = states.mask(name)
        for word in (*spellings.split(), spellings.split()[0].replace("_", "")):
            page = explain.page(word)
            assert states.mask(word) == mask, word
            assert page is not None
            assert page.name == name


def test_no_spelling_of_the_filter_is_left_out() -> None:
    one = [word for word, mask in states._MASKS.items() if mask in STATE_MASKS]
    assert len(one) > len(STATE_MASKS)
    for word in one:
        page = explain.page(word)
        assert page is not None, word
        assert states.mask(page.name) == states.mask(word)


@pages
def test_a_page_is_narrow_ascii_and_has_its_parts(page: Page) -> None:
    lines = page.text.splitlines()
    assert lines[0] == f"{page.name} - {page.summary}"
    assert page.text.isascii()
    assert page.text.endswith("\n")
    assert [line for line in lines if len(line) > 78 or line != line.rstrip() or "\t" in line] == []
    assert 35 <= len(lines) <= 85
    found = tuple(sections(page))
    if page.kind == "finding":
        assert found == (*HEADINGS[:-1], THRESHOLDS, HEADINGS[-1])
    else:
        assert found == HEADINGS
    assert all(text.strip() for text in sections(page).values())


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_the_thresholds_of_a_page_are_those_of_its_rule(rule: Rule) -> None:
    """Pages are text, so that to show one loads no rule: what one says is written by hand."""
    page = explain.page(rule.id)
    assert page is not None
    told = re.sub(r"\n {5,}", " ", sections(page)[THRESHOLDS])
    assert re.findall(r"^ {4}(\w+) +(\S+) +(.*)$", told, re.MULTILINE) == [
        (each.name, f"{each.default:g}", each.meaning) for each in rule.thresholds
    ]
    running = " ".join(told.split())
    needed = re.findall(r"Needs (\S+) s of samples", running)
    assert needed == ([f"{rule.look_s:g}"] if rule.look_s else [])
    assert f"--set {rule.id}.{rule.thresholds[0].name}=" in running
    assert not set(re.findall(r"\b[a-z]+_s\b", running)) - {t.name for t in rule.thresholds}


@pages
def test_every_page_that_a_page_refers_to_exists(page: Page) -> None:
    listed = [name.strip() for name in sections(page)["See also"].split(",")]
    names = {other.name for other in explain.pages()} - {page.name}
    assert set(listed) <= names
    assert len(listed) == len(set(listed))
    running = " ".join(page.text.split())
    assert set(re.findall(r"\(see ([a-z0-9-]+)", running)) <= names


@pages
def test_bad_advice_is_named_only_to_warn_of_it(page: Page) -> None:
    harmless = "".join(text for head, text in sections(page).items() if head != "Do not")
    assert "tcp_tw_recycle" not in harmless
    assert not re.search(r"\bshorten", harmless, re.IGNORECASE)
    assert not re.search(r"tcp_fin_timeout *=", harmless)
    assert not re.search(r"-K\b", harmless)


@pages
def test_a_page_speaks_of_no_command_that_is_not_there(page: Page) -> None:
    for words in commands(page, "tcptop"):
        assert words[1] not in ("check", "demo", "record", "replay", "report", "diff", "metrics")


@pages
def test_filters_for_tcptop_parse(page: Page) -> None:
    found = list(commands(page, "tcptop"))
    for words in found:
        parse(" ".join(words[1:]))
    assert found or page.name in ("resets", "retransmission-rate", "risky-sysctl")


@pages
def test_ss_takes_its_expressions(page: Page) -> None:
    for words in commands(page, "ss"):
        assert re.fullmatch(r"-[talnpoimeH]+", words[1]), words  # looks, and nothing else
        done = subprocess.run([*words, "-H"], capture_output=True, text=True, timeout=30)
        assert (done.returncode, done.stderr) == (0, ""), words


@pages
def test_sysctls_exist(page: Page) -> None:
    for name in re.findall(r"\bnet\.(?:core|ipv4|netfilter)\.\w+", page.text):
        path = Path("/proc/sys", *name.split("."))
        assert name in counters.SYSCTLS or path.exists(), name
    known = {name.rpartition(".")[2] for name in counters.SYSCTLS} | CONNTRACK
    for name in re.findall(r"\b(?:tcp|nf|ip)_\w+", page.text):
        assert name in known or Path("/proc/sys/net/ipv4", name).exists(), name


@pages
def test_counters_exist(page: Page) -> None:
    known = known_counters()
    for words in commands(page, "nstat"):
        assert words[1] == "-az"
        assert set(words[2:]) <= known
    listings = (*LISTINGS.values(), KERNEL)
    titles = {column.title for listing in listings for column in listing.columns}
    short = {re.sub("^TcpExt|^Tcp", "", name) for name in known}
    running = set(CAMEL.findall(page.text))
    assert running <= known | short | titles | set(NO_COUNTERS.split())


@pages
def test_views_and_columns_are_called_as_they_are(page: Page) -> None:
    running = " ".join(page.text.split())
    views = [view.listing.title for view in VIEWS.values()]
    for number, title in re.findall(r"(?:press|tab) (\d), (\w+)", running):
        assert views[int(number)] == title
    titles = {column.title for listing in LISTINGS.values() for column in listing.columns}
    assert set(re.findall(r"\b[A-Z][a-z]+/s\b", running)) <= titles
    for title in re.findall(r"\bcolumns? ([A-Z][\w-]+)", running):
        assert title in titles


def test_the_list_is_grouped_aligned_and_fits_a_terminal() -> None:
    lines = explain.contents().splitlines()
    assert max(map(len, lines)) <= 80
    rows = [line for line in lines if line.startswith("  ")]
    assert [row.split()[0] for row in rows] == [page.name for page in explain.pages()]
    assert len({len(row) - len(row[27:].lstrip()) for row in rows}) == 1
    assert [line for line in lines if line in ("findings", "states", "topics")] == [
        "findings",
        "states",
        "topics",
    ]

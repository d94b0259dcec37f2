"""`tcptop report`: a real incident as Markdown and as a page in a real browser; what is hidden."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tcptop.sources.recording.reader import RecordingReader
from tcptop.sources.redacted import Aliases
from tests.record.incident import SCENARIO, run
from tests.record.made import recorded
from tests.unit.prepared import everything

HOSTILE = "<script>alert(1)</script>\x1b[2J|`*_&quot;"
BROWSER = "chromium-headless-shell"
TITLE = "shop-web on 10.78.0.1:8080 is not accepting: 17 connections wait"


@pytest.fixture(scope="module")
def page(incident: Path) -> Path:
    path = incident.parent / "report.html"
    done = run("report", incident, "-o", path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return path


class Tags(HTMLParser):
    """Every element has its end; `links` are what would be fetched."""

    EMPTY = ("meta", "path", "rect")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert tag in self.EMPTY or self.open.pop() == tag


def parsed(text: str) -> Tags:
    tags = Tags()
    tags.feed(text)
    tags.close()
    assert tags.open == []
    return tags


def test_a_ticket_says_what_happened(incident: Path) -> None:
    done = run("report", incident, "--title", "Shop is slow")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "# Shop is slow"
    assert "found 1 critical finding" in lines[2]
    assert TITLE in lines[2]
    assert lines[2].endswith("At the end it was still there.")
    assert f"({'`' + SCENARIO + '`'})" in done.stdout
    assert "How to confirm: `" in done.stdout
    queue = next(line for line in lines if line.startswith("| `Accept queue of 10.78.0.1:8080"))
    assert queue.split("|")[3] == " 17 "
    assert re.search(r"\| `TcpExtListenDrops` \| [\d.]+ \|", done.stdout)
    assert "| `net.core.somaxconn` |" in done.stdout


def test_a_page_needs_nothing_else(page: Path) -> None:
    text = page.read_text()
    tags = parsed(text)
    assert "script" not in tags.seen
    assert all(re.fullmatch(r"#f\d+", link) for link in tags.links)
    assert "url(" not in text
    assert "@import" not in text


def test_a_calm_time_has_nothing_wrong(incident: Path) -> None:
    done = run("report", incident, "--end", "+1.5s")
    assert "found nothing that is wrong" in done.stdout
    assert run("report", incident, "--begin", "-1s", "--end", "-2s").returncode == 1


def test_what_cannot_be_is_one_line(incident: Path, tmp_path: Path) -> None:
    for words, code in (
        ((incident, "-o", tmp_path / "x.pdf"), 2),
        ((tmp_path / "nothing",), 1),
        ((incident, "-o", tmp_path / "no" / "x.html"), 1),
    ):
        done = run("report", *words)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (code, "", 1), words


# -- the page as a browser shows it


def browser(*words: object) -> subprocess.CompletedProcess[str]:
    base = [BROWSER, "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"]
    return subprocess.run([*base, *map(str, words)], capture_output=True, text=True, timeout=120)


MEASURED = """<script>addEventListener("load", () => {
const box = e => e.getBoundingClientRect(), all = s => [...document.querySelectorAll(s)];
const inside = e => !e.closest(".wide");
const over = all("body *").filter(e => inside(e) && box(e).right > innerWidth + 1);
const height = f => (box(f.querySelector("svg")).bottom - box(f.querySelector("path.s0")).top)
  / box(f.querySelector("svg")).height;
const queue = all("figure").find(f => f.textContent.includes("Accept queue"));
document.body.dataset.told = JSON.stringify({
  over: over.length, scrolls: document.documentElement.scrollWidth > innerWidth,
  charts: all("svg").length, flat: all("svg").filter(e => box(e).height < 50).length,
  queue: height(queue),
  bar: box(all(".track i")[0]).width})});</script>"""


@pytest.mark.parametrize("width", [400, 1400])
def test_a_browser_shows_it(page: Path, tmp_path: Path, width: int) -> None:
    """Nothing is wider than the screen, and the queue rises to where 17 are."""
    policy = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
    measured = tmp_path / "measured.html"
    measured.write_text(policy.sub("", page.read_text()).replace("</main>", f"</main>{MEASURED}"))
    done = browser(f"--window-size={width},900", "--dump-dom", measured.as_uri())
    found = re.search(r'data-told="([^"]*)"', done.stdout)
    assert found, done.stderr
    told = found[1].replace("&quot;", '"')
    assert '"over":0,"scrolls":false' in told
    assert int(re.findall(r'"charts":(\d+)', told)[0]) >= 4
    assert '"flat":0' in told
    assert 0.8 < float(re.findall(r'"queue":([\d.]+)', told)[0]) < 0.9  # of a scale up to 20
    assert float(re.findall(r'"bar":([\d.]+)', told)[0]) > 100


def test_it_is_printed_without_complaints(page: Path, tmp_path: Path) -> None:
    paper = tmp_path / "report.pdf"
    done = browser(f"--print-to-pdf={paper}", page.as_uri())
    assert paper.read_bytes().startswith(b"%PDF")
    assert "CONSOLE" not in done.stderr
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", paper.read_bytes())) <= 6


# -- names that are hostile, and names that are hidden


def told(path: Path, *words: str) -> Iterator[str]:
    for name in ("out.html", "out.md"):
        out = path.with_name(name)
        assert run("report", path, "-o", out, *words).returncode == 0
        yield out.read_text()


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    one = everything()
    processes = {
        pid: replace(each, name=HOSTILE[:15], cmdline=HOSTILE, label=HOSTILE)
        for pid, each in one.owners.processes.items()
    }
    sample = replace(
        one,
        host=replace(one.host, hostname=HOSTILE),
        owners=replace(one.owners, processes=processes),
        notes=(HOSTILE,),
    )
    page, ticket = told(recorded(tmp_path / "hostile", [sample]), "--title", HOSTILE)
    assert "script" not in parsed(page).seen
    assert "&lt;script&gt;" in page
    assert "\x1b" not in page + ticket
    assert r"\x1b[2J" in ticket
    spans = re.sub(r"`[^`\n]*`", "", ticket)  # what is in code spans is no markup
    assert "<script" not in spans


def test_what_is_hidden_is_nowhere(incident: Path, page: Path) -> None:
    """And everything else is as it was: the same lines, with other names."""
    with closing(RecordingReader(str(incident))) as reader:
        samples = [each.sample for each in reader.samples()]
    last = samples[-1]
    names = {last.host.hostname, *(p.cmdline for p in last.owners.processes.values())} - {""}
    plain = page.read_text()
    assert all(name in plain for name in ("10.78.0.1", "10.78.0.2"))
    for text in told(incident, "--redact"):
        assert "10.78." not in text
        assert not any(re.search(rf"\b{re.escape(name)}\b", text) for name in names)
        assert "shop-web on 198.18.0.1:8080 is not accepting: 17 connections wait" in text
        assert "host-1" in text


def test_one_name_has_one_alias() -> None:
    aliases = Aliases()
    first, again = (aliases.sample(everything()) for _ in range(2))
    for name in ("local_lo", "remote_hi", "remote_lo"):
        column, before = getattr(first.sockets, name), getattr(everything().sockets, name)
        assert column.tolist() == getattr(again.sockets, name).tolist()
        pairs = set(zip(before.tolist(), column.tolist(), strict=True))
        assert len(pairs) == len({new for _, new in pairs}) == len({old for old, _ in pairs})
    assert (
        aliases.told("10.1.2.3").rpartition(".")[0] == aliases.told("10.1.2.9").rpartition(".")[0]
    )
    assert aliases.told("10.1.2.3") != aliases.told("10.1.2.9")
    assert (
        aliases.told("10.1.3.3").rpartition(".")[0] != aliases.told("10.1.2.9").rpartition(".")[0]
    )
    many = [aliases.told(f"11.{n >> 8}.{n & 255}.1") for n in range(2000)]
    assert len({*many}) == 2000  # of as many networks
    for kept in ("127.0.0.1", "0.0.0.0", "::", "::1"):
        assert aliases.told(kept) == kept
    assert aliases.told("fe80::1").startswith("fe80::")
    assert aliases.told("2a00:1450::5").startswith("2001:db8:")
    assert {name.partition("-")[0] for name in first.users.values()} <= {"root", "user"}
    assert first.users == again.users
    assert aliases.scrubbed("from 10.1.2.3, at 12:30:15") == (
        f"from {aliases.told('10.1.2.3')}, at 12:30:15"
    )

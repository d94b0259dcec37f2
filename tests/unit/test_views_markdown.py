"""A snapshot as Markdown for a ticket."""

import re

import pytest

from tcptop.model.sample import Namespace, Process, Sample
from tcptop.views import markdown
from tests.unit.prepared import NETNS, everything, found, later, owners, sample, selected, socket
from tests.unit.written import written


def headings(text: str) -> list[str]:
    return [line.removeprefix("### ") for line in text.splitlines() if line.startswith("### ")]


def table(text: str, heading: str) -> list[list[str]]:
    """The cells under a heading that begins so: titles first, without the line of dashes."""
    section = text.split(f"### {heading}", 1)[1].split("###", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert all(len(row) == len(cells[0]) for row in cells)
    assert set("".join(cells[1])) <= set("-: ")
    return [cells[0], *cells[2:]]


def commands(text: str) -> list[str]:
    return re.findall(r"^Shown by `(.*)`\.$", text, re.MULTILINE)


def connected(*, remote: str = "10.0.0.2:8080", local: str = "10.0.0.1:40001") -> Sample:
    holder = Process(7, "app", "app", 0, 1, None, 1, 1, None)
    rows = [socket("ESTABLISHED", local, remote, inode=5)]
    return sample(rows, owners=owners((5, holder, 3)), namespaces=(Namespace(NETNS, None),))


class TestSummary:
    def test_says_which_look_at_which_host(self) -> None:
        first = everything(notes=("no control groups",))
        text = written(markdown, selected(first, later(first, 2.0), filter="state listening"))
        assert text.startswith("## TCP of `web1` at 2026-01-01T00:00:02.250Z\n")
        assert "- Host: Linux `6.18.5`, up 1 d\n" in text
        assert "- Sampled: for 2 s, through `sock_diag`, privileged" in text
        assert "- Filter: `state listening`\n" in text
        assert "- Sockets: 18, 2 of them selected\n" in text
        assert "- States: ESTAB 7  SYN-SENT 1" in text
        assert "- Note: `no control groups`\n" in text

    def test_without_a_filter_and_without_sockets(self) -> None:
        text = written(markdown, selected(sample([])))
        assert "Filter" not in text
        assert "- Sockets: 0, 0 of them selected\n" in text
        assert headings(text) == []


class TestSections:
    def test_the_usual_ones_have_the_worst_first(self) -> None:
        text = written(markdown, found())
        assert [title.split(",")[0] for title in headings(text)] == [
            "Listeners",
            "Destinations",
            "Processes",
        ]
        listeners = table(text, "Listeners")
        assert listeners[0][:4] == ["Listening on", "Queue", "Backlog", "Fill"]
        assert listeners[1][:4] == ["`0.0.0.0:80`", "96", "128", "74%"]
        assert table(text, "Destinations")[1][:3] == ["`10.0.0.1`", "`10.0.0.9:8080`", "5"]
        assert table(text, "Processes")[1][:3] == ["200", "`curl`", "4"]

    def test_only(self) -> None:
        text = written(markdown, selected(everything()), "sockets", "remotes")
        assert headings(text) == [
            "Remote addresses, most sockets first",
            "Sockets (10 of 18)",
        ]

    def test_ten_rows_unless_a_limit_is_given(self) -> None:
        chosen = selected(everything())
        assert len(table(written(markdown, chosen, "sockets"), "Sockets")) == 1 + 10
        assert len(table(written(markdown, chosen, "sockets", limit=18), "Sockets")) == 1 + 18
        assert headings(written(markdown, chosen, limit=0)) == []

    def test_columns_that_nobody_knows_are_left_out(self) -> None:
        first = everything()
        assert "Drop/s" not in table(written(markdown, selected(first)), "Listeners")[0]
        both = selected(first, later(first, 2.0))
        assert "Drop/s" in table(written(markdown, both), "Listeners")[0]


class TestCommands:
    def test_each_section_has_one(self) -> None:
        lists = ("listeners", "ports", "processes", "remotes", "sockets")
        text = written(markdown, selected(connected()), *lists)
        assert commands(text) == [
            "ss -tanp 'src 10.0.0.1 and dst 10.0.0.2:8080'",
            "ss -tanp | grep pid=7,",
            "ss -tan 'dst 10.0.0.2'",
            "ss -tanpoi",
        ]

    def test_an_ipv6_address_without_port_has_brackets(self) -> None:
        chosen = selected(connected(local="[2001:db8::1]:40001", remote="[2001:db8::2]:443"))
        text = written(markdown, chosen, "ports", "remotes")
        assert commands(text) == [
            "ss -tanp 'src [2001:db8::1] and dst [2001:db8::2]:443'",
            "ss -tan 'dst [2001:db8::2]'",
        ]

    def test_a_named_namespace_is_entered(self) -> None:
        rows = [socket("LISTEN", "0.0.0.0:80")]
        named = sample(rows, namespaces=(Namespace(NETNS, "my lab"),))
        text = written(markdown, selected(named), "listeners")
        assert commands(text) == ["ss -N 'my lab' -ltnpm"]


class TestForeignText:
    @pytest.mark.parametrize(
        "name",
        ["a|b", "`a`", "a\nb", "\x1b[2J", "[x](http://e)", "<img src=x>", "**a**", "``", "\udc80"],
    )
    def test_a_name_stays_in_its_cell(self, name: str) -> None:
        evil = Process(666, name, name, 0, 1, name, 1, 1, None)
        rows = [socket("LISTEN", "10.0.0.1:80", inode=5)]
        text = written(markdown, selected(sample(rows, owners=owners((5, evil, 3)))))
        text.encode("utf-8")
        assert all(line.isprintable() for line in text.splitlines())
        for line in text.splitlines():
            assert line.count("`") % 2 == 0
            outside = re.sub(r"`[^`]*`|\*\*CRITICAL\*\*", "", line)
            assert not set("<[*\\") & set(outside), line
        process = table(text, "Listeners")[1][-1]
        assert process.startswith("`")
        assert process.endswith("`")

    def test_what_the_filter_says_is_shown_as_it_is(self) -> None:
        text = written(markdown, selected(everything(), filter='process = "a*"'))
        assert '- Filter: `process = "a*"`\n' in text

"""Findings in every form of a snapshot, and as a monitoring plug-in tells them."""

from __future__ import annotations

import io
import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tcptop.analysis.filter import parse
from tcptop.analysis.selection import select
from tcptop.model.finding import Finding, Silence
from tcptop.model.selection import Selection
from tcptop.views import json as json_view
from tcptop.views import markdown, ndjson, plugin, text
from tests.unit.prepared import (
    NGINX,
    OVERFLOW,
    UNANSWERED,
    WORKER,
    WORTH_KNOWING,
    derived,
    everything,
    finding,
    found,
    later,
    owners,
)
from tests.unit.written import VALIDATOR, View, snapshot_json, written

HOSTILE = "a|b `c` \x1b[2J\n*d* [x](http://e) <img src=x>"


def checked(selection: Selection) -> list[str]:
    out = io.StringIO()
    plugin.write(selection, out)
    return out.getvalue().splitlines()


class TestJson:
    def test_every_field(self) -> None:
        (row,) = snapshot_json(found(OVERFLOW))["findings"]
        unit = "nginx.service"
        called = {"name": "nginx", "label": None, "unit": unit, "container": None}
        assert row["subject"] == {
            "netns": 4026531840,
            "pids": [100, 101],
            "listener": "0.0.0.0:80",
            "destination": None,
            "cookies": ["1000"],
            "processes": [
                {"pid": 100, **called, "cmdline": "nginx: master"},
                {"pid": 101, **called, "cmdline": "nginx: worker"},
            ],
        }
        assert row["since"] == "2025-12-31T23:59:48.250Z"
        assert row["values"] == {"drops_per_s": 42.123, "capacity": 129, "exhausted_in_s": None}
        assert row["evidence"] == list(OVERFLOW.evidence)
        assert (row["advice"], row["confirm"]) == (OVERFLOW.advice, OVERFLOW.confirm)
        assert row["because"] is None

    def test_what_is_not_known_is_null(self) -> None:
        unknown = finding("fd-limit", since=None, advice="", confirm="", values={"share": math.nan})
        (row,) = snapshot_json(found(unknown))["findings"]
        assert (row["since"], row["advice"], row["confirm"]) == (None, None, None)
        assert row["values"] == {"share": None}

    def test_a_source_without_cookies_names_none(self) -> None:
        (row,) = snapshot_json(found(OVERFLOW, source="procfs"))["findings"]
        assert row["subject"]["cookies"] is None

    def test_they_follow_the_filter(self) -> None:
        both = (OVERFLOW, UNANSWERED)
        whole = snapshot_json(found(*both))["findings"]
        assert [row["because"] for row in whole] == [None, OVERFLOW.key]
        part = snapshot_json(found(*both, filter="state syn-sent"))["findings"]
        assert [row["id"] for row in part] == ["connect-unanswered"]

    def test_check_writes_the_head_and_the_findings(self) -> None:
        out = io.StringIO()
        chosen = found(OVERFLOW, UNANSWERED, filter="sport = :80 or state syn-sent")
        json_view.write_findings(chosen, out)
        told = json.loads(out.getvalue())
        VALIDATOR.validate(told)
        names = ["schema", "taken_at", "host", "collector", "filter", "findings"]
        assert list(told) == names
        whole = snapshot_json(chosen)
        assert told == {name: whole[name] for name in names}


@pytest.mark.parametrize("form", [json_view, ndjson, text, markdown])
def test_rules_that_could_not_look_are_named_in_every_form(form: View) -> None:
    chosen = found(OVERFLOW)
    blind = (Silence(("fd-limit",), "No owners: fd-limit could not look."),)
    chosen = replace(chosen, snapshot=replace(chosen.snapshot, silent=blind))
    assert written(form, chosen).count("No owners: fd-limit could not look.") == 1


@pytest.mark.parametrize("title", ["T" * 4000, "a\u0301" * 2000])
def test_a_title_of_4_kb_leaves_room_for_the_others(title: str) -> None:
    held = owners(*((1, replace(each, cmdline=title), 6) for each in (NGINX, WORKER)))
    lines = [each for each in checked(found(OVERFLOW, owners=held)) if "Process:" in each]
    assert len(lines) == 2
    assert all(100 < len(each) < 500 and each.endswith("…") for each in lines)


class TestText:
    def test_between_the_summary_and_the_rows(self) -> None:
        told = written(text, found(OVERFLOW, UNANSWERED)).splitlines()
        first = told.index(
            "CRITICAL: nginx on :80 is too slow to accept: 42 SYNs/s dropped "
            "[accept-queue-overflow]"
        )
        assert told[first + 1 : first + 11] == [
            "  Since 2025-12-31T23:59:48.250Z (12 s ago).",
            "  129 of 129 places are taken.",
            "  The kernel drops 42 SYNs/s.",
            "  Process: nginx (pid 100, nginx.service): nginx: master",
            "  Process: nginx (pid 101, nginx.service): nginx: worker",
            "  Advice: Accept faster.",
            "  Confirm: ss -ltnm 'sport = :80'",
            "  hence WARNING: 192.0.2.1:80 does not answer 3 connects [connect-unanswered]",
            "    Each SYN was sent three times.",
            "    Process: curl (pid 200): curl http://10.0.0.9:8080/",
        ]
        assert told[1].startswith("18 sockets")
        assert told[first + 12].startswith("State ")

    def test_only(self) -> None:
        chosen = found(OVERFLOW)
        assert "accept-queue-overflow" not in written(text, chosen, "sockets")
        alone = written(text, chosen, "findings")
        assert "accept-queue-overflow" in alone
        assert "State " not in alone
        assert written(text, found(), "findings").endswith("\nno findings\n")
        assert "findings" not in written(text, found())

    def test_limit(self) -> None:
        told = written(text, found(OVERFLOW, WORTH_KNOWING), "findings", limit=1)
        assert "accept-queue-overflow" in told
        assert "risky-sysctl" not in told

    def test_effects_that_are_alike_are_told_once(self) -> None:
        def shut(number: int, **more: Any) -> Finding:
            title = f"redis does not read what socat sends: {number} KiB wait in Send-Q"
            return finding("zero-window-peer", title=title, key=f"zero/{number}", **more)

        def beneath(cause: Finding) -> Finding:
            return replace(UNANSWERED, key=f"under/{cause.key}", because=cause.key)

        every = [shut(number, because=OVERFLOW.key) for number in (3, 17, 900)]
        other = replace(UNANSWERED, because=OVERFLOW.key)
        told = written(
            text, found(OVERFLOW, *every, *map(beneath, every), other, shut(5)), "findings"
        )
        assert [line for line in told.splitlines() if " KiB wait" in line] == [
            "  hence WARNING: redis does not read what socat sends: 3 KiB wait in Send-Q "
            "[zero-window-peer], and 2 more like it",
            "WARNING: redis does not read what socat sends: 5 KiB wait in Send-Q "
            "[zero-window-peer]",
        ]
        assert told.count("does not answer 3 connects") == 2  # beneath the first, and the other

    def test_foreign_text_is_shown(self) -> None:
        evil = finding("fd-limit", title=HOSTILE, evidence=(HOSTILE,), advice=HOSTILE)
        told = written(text, found(evil), "findings")
        assert all(line.isprintable() for line in told.splitlines())
        assert told.count("\\x1b[2J\\n*d*") == 3


class TestMarkdown:
    def test_between_the_summary_and_the_lists(self) -> None:
        told = written(markdown, found(OVERFLOW, UNANSWERED))
        section = told.split("### Findings\n\n", 1)[1].split("\n\n### Listeners")[0]
        assert section.splitlines() == [
            "- **CRITICAL**: nginx on :80 is too slow to accept: 42 SYNs/s dropped "
            "(`accept-queue-overflow`)",
            "  - Since 2025-12-31T23:59:48.250Z (12 s ago).",
            "  - 129 of 129 places are taken.",
            "  - The kernel drops 42 SYNs/s.",
            "  - Process: `nginx (pid 100, nginx.service): nginx: master`",
            "  - Process: `nginx (pid 101, nginx.service): nginx: worker`",
            "  - Advice: Accept faster.",
            "  - Confirm: `ss -ltnm 'sport = :80'`",
            "  - hence **WARNING**: 192.0.2.1:80 does not answer 3 connects (`connect-unanswered`)",
            "    - Each SYN was sent three times.",
            "    - Process: `curl (pid 200): curl http://10.0.0.9:8080/`",
        ]

    def test_only(self) -> None:
        assert "### Findings" not in written(markdown, found(OVERFLOW), "listeners")
        alone = written(markdown, found(OVERFLOW), "findings")
        assert [line for line in alone.splitlines() if line.startswith("###")] == ["### Findings"]
        assert "### Findings" not in written(markdown, found())

    def test_limit(self) -> None:
        told = written(markdown, found(OVERFLOW, WORTH_KNOWING), limit=1)
        assert "### Findings (1 of 2)" in told
        assert "risky-sysctl" not in told

    @pytest.mark.parametrize(
        "name",
        [
            *("a|b", "`a`", "a\nb", "\x1b[2J", "[x](http://e)", "<img src=x>", "**a**", "_a_"),
            *("www.example.org", "@someone", "#12", "~~a~~", "&amp;", "\\", "a_ b", ":tada:"),
            *("http://e", "1. a", "- a", "a* b*c", "*a *b"),
        ],
    )
    def test_foreign_text_becomes_code(self, name: str) -> None:
        told = written(markdown, found(finding("fd-limit", title=f"{name} leaks")), "findings")
        (line,) = [line for line in told.splitlines() if "leaks" in line]
        assert line.startswith("- **WARNING**: `")
        assert line.endswith(" leaks` (`fd-limit`)")
        assert line.isprintable()
        assert line.count("`") == 4

    @pytest.mark.parametrize(
        "words",
        [
            "net.ipv4.tcp_max_syn_backlog is 128 (80 %).",
            "10.0.0.1:80 – 10.0.0.2:81 is it",
            "The sysctls net.ipv4.tcp_keepalive_* act only then.",
            'nginx (pid 812, nginx.service): "2 of 3" don\'t, 1/2 + 1 = 3?',
        ],
    )
    def test_what_is_harmless_stays_prose(self, words: str) -> None:
        told = written(markdown, found(finding("fd-limit", evidence=(words,))), "findings")
        assert f"  - {words}\n" in told


class TestVerdict:
    @pytest.mark.parametrize(
        ("findings", "severity", "line"),
        [
            ((), "info", "TCPTOP OK: no problems with 18 sockets"),
            ((WORTH_KNOWING,), "info", "TCPTOP OK: no problems with 18 sockets, 1 notice"),
            (
                (OVERFLOW, UNANSWERED),
                "critical",
                "TCPTOP CRITICAL: 1 critical: nginx on :80 is too slow to accept: "
                "42 SYNs/s dropped",
            ),
            (
                (OVERFLOW, finding("fd-limit"), finding("resets"), WORTH_KNOWING),
                "critical",
                "TCPTOP CRITICAL: 1 critical, 2 warnings: nginx on :80 is too slow to accept: "
                "42 SYNs/s dropped",
            ),
            (
                (finding("fd-limit", title="a|b leaks"),),
                "warning",
                "TCPTOP WARNING: 1 warning: a/b leaks",
            ),
            (
                (finding("fd-limit", title=HOSTILE),),
                "warning",
                "TCPTOP WARNING: 1 warning: a/b `c` \\x1b[2J\\n*d* [x](http://e) <img src=x>",
            ),
        ],
    )
    def test_causes_are_counted(
        self, findings: tuple[Finding, ...], severity: str, line: str
    ) -> None:
        chosen = found(*findings)
        assert plugin.severity(chosen) == severity
        assert checked(chosen)[0] == line

    def test_an_effect_counts_where_its_cause_is_not_shown(self) -> None:
        chosen = found(OVERFLOW, UNANSWERED, filter="state syn-sent")
        assert plugin.severity(chosen) == "warning"
        assert checked(chosen)[0] == (
            "TCPTOP WARNING: 1 warning: 192.0.2.1:80 does not answer 3 connects"
        )

    def test_details_and_notes_follow(self) -> None:
        told = checked(found(OVERFLOW, notes=("no control\ngroups",)))
        assert told[2].startswith("CRITICAL: nginx")
        assert "note: no control\\ngroups" in told

    def test_how_long_was_looked(self) -> None:
        first = everything()
        snapshot = replace(derived(first, later(first, 2.0)), findings=())
        line = plugin.line(select(snapshot, parse("state close-wait")))
        assert line == "TCPTOP OK: no problems with 1 socket in 2 s"

    @pytest.mark.parametrize(
        ("filter", "told"),
        [
            ("sport = :1", "he filter selects none of 18 sockets: sport = :1"),
            (
                "sport = :80 nad state listening",
                'he filter selects none of 18 sockets: no process has "nad" in its name, '
                "command line, unit or container; did you mean ",
            ),
            ("process = ngnix", "did you mean nginx?"),
        ],
    )
    def test_a_filter_that_selects_nothing_is_told_first(self, filter: str, told: str) -> None:
        chosen = found(OVERFLOW, filter=filter)
        chosen = replace(chosen, closed=lambda: np.zeros(0, np.int64))
        line, *_ = checked(chosen)
        assert line.startswith("TCPTOP OK, but the filter selects none of 18 sockets: ")
        assert told in line
        assert plugin.verdict(chosen) == "OK"
        assert plugin.verdict(chosen, strict=True) == "UNKNOWN"
        strict = plugin.line(chosen, strict=True)
        assert strict.startswith("TCPTOP UNKNOWN: the filter selects none of 18 sockets: ")
        assert [told in note for note in plugin.notes_of_filter(chosen)] == [True]

    def test_a_filter_that_selects_what_has_ended_selects_something(self) -> None:
        chosen = found(filter="dport = :81")
        assert len(chosen.rows) == 0
        assert plugin.verdict(chosen, strict=True) == "OK"
        assert checked(chosen)[0] == "TCPTOP OK: no problems with 0 sockets"
        assert plugin.notes_of_filter(found()) == []

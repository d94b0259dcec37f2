"""The configuration file: its values, what is wrong with it in one line, and who wins."""

from __future__ import annotations

from pathlib import Path

import pytest

from tcptop import command_line, options
from tcptop.analysis.findings.rules import RULES
from tcptop.analysis.findings.settings import FindingSettings
from tcptop.commands.effective import THRESHOLDS, EffectiveConfiguration, decided
from tcptop.commands.errors import CommandError
from tcptop.configuration import Configuration, ConfigurationError, parse, unknown

THERE = {
    "close-wait-leak": {"sockets": 20.0, "age_s": 60.0},
    "fd-limit": {"share": 0.8},
    "resets": {},
}

WHOLE = """
interval = 2
idle-timeout = 240.5
ignore = ["resets"]
theme = "dark"
[findings.close-wait-leak]
sockets = 50
[findings.fd-limit]
share = 0.9
[keys]
help = "f1"
"""


class TestParse:
    def test_every_key(self) -> None:
        assert parse(WHOLE, THERE) == Configuration(
            interval=2.0,
            idle_timeout_s=240.5,
            ignored=frozenset({"resets"}),
            limits={"close-wait-leak": {"sockets": 50}, "fd-limit": {"share": 0.9}},
            keys={"help": "f1"},
            theme="dark",
        )

    def test_nothing(self) -> None:
        assert parse("# nothing\n", THERE) == Configuration()

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("interval = 2\nignore = [", "at end of document"),
            ("interval = 2\ninterval 3", "line 2"),
            ("intervall = 2", 'unknown key "intervall"; did you mean interval?'),
            ("x = 2", "there are interval, idle-timeout, ignore, theme, findings, keys"),
            ('theme = "drak"', 'unknown theme "drak"; did you mean dark?'),
            ("theme = 1", 'unknown theme "1"; there are terminal, dark'),
            ("interval = 0", "interval: 0 is not a number of seconds, 0.1 to 3600"),
            ("interval = true", "interval: true is not a number of seconds"),
            ("interval = 2020-01-01", "interval: 2020-01-01 is not a number of seconds"),
            ("interval = [1]", "interval: a list is not a number of seconds"),
            ("[interval]", "interval: a table is not a number of seconds"),
            ("theme = true", 'unknown theme "true"'),
            ('findings = "x"', 'findings: "x" is not a table'),
            ("interval = nan", "interval: nan is not a number of seconds"),
            ("interval = 1" + "0" * 400, "is not a number of seconds"),
            ('idle-timeout = "350"', 'idle-timeout: "350" is not a number of seconds'),
            ('ignore = "resets"', "ignore: not a list of findings"),
            ("ignore = [1]", "ignore: not a list of findings"),
            ('ignore = ["reset"]', 'unknown finding "reset"; did you mean resets?'),
            ('ignore = ["xyzzy"]', "`tcptop explain` lists them"),
            ("findings = 1", "findings: 1 is not a table, [findings]"),
            ("[findings]\nfd-limit = 0.8", "findings.fd-limit: 0.8 is not a table"),
            ("[findings.close-wait]\nsockets = 1", "did you mean close-wait-leak?"),
            (
                "[findings.close-wait-leak]\nsocket = 1",
                'close-wait-leak has no threshold "socket"; it has sockets (20), age_s (60)',
            ),
            ("[findings.resets]\nshare = 1", 'resets has no threshold "share"; it has none'),
            ('[findings.fd-limit]\nshare = "1"', 'findings.fd-limit.share: "1" is not a number'),
            ("[findings.fd-limit]\nshare = inf", "findings.fd-limit.share: inf is not a number"),
            ("[findings.fd-limit]\nshare = false", "share: false is not a number"),
            ("[findings.fd-limit]\nshare = -0.1", "findings.fd-limit.share: -0.1 is below 0"),
            ("[keys]\nhelp = 1", 'keys: "help": 1 is not text'),
            ('"\\u001b[2J" = 1', "'\\x1b[2J'"),
        ],
    )
    def test_what_is_wrong_is_named_in_one_line(self, text: str, says: str) -> None:
        with pytest.raises(ConfigurationError) as caught:
            parse(text, THERE)
        assert says in str(caught.value)
        assert str(caught.value).isprintable()

    def test_at_most_three_suggestions(self) -> None:
        told = unknown("word", "aaa", ["aaa1", "aaa2", "aaa3", "aaa4"], "nothing")
        assert told == 'unknown word "aaa"; did you mean aaa1, aaa2, aaa3?'


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the configuration file usually is."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "tcptop").mkdir()
    return tmp_path / "tcptop" / "config.toml"


def chosen(*words: str) -> options.CheckOptions:
    parsed = command_line.parse(["check", *words])
    assert isinstance(parsed, options.CheckOptions)
    return parsed


RULE, OTHER = RULES[0], RULES[-1]
LIMIT = RULE.thresholds[0].name


class TestDecided:
    def test_defaults(self, home: Path) -> None:
        assert decided(chosen()) == EffectiveConfiguration(1.0, FindingSettings(), {})

    def test_the_command_line_wins(self, home: Path) -> None:
        home.write_text(
            f'interval = 5\nidle-timeout = 60\nignore = ["{OTHER.id}"]\n'
            f"[findings.{RULE.id}]\n{LIMIT} = 7\n"
        )
        assert decided(chosen()) == EffectiveConfiguration(
            5.0, FindingSettings({RULE.id: {LIMIT: 7}}, frozenset({OTHER.id}), 60.0), {}
        )
        typed = chosen(
            *("-i", "2", "--idle-timeout", "350", "--ignore", RULE.id),
            *("--set", f"{RULE.id}.{LIMIT}=8", "--set", f"{RULE.id}.{LIMIT}=9"),
        )
        assert decided(typed) == EffectiveConfiguration(
            2.0, FindingSettings({RULE.id: {LIMIT: 9.0}}, frozenset({OTHER.id, RULE.id}), 350.0), {}
        )

    def test_a_demo_lowers_what_the_file_says_and_not_what_was_typed(self, home: Path) -> None:
        home.write_text(f"[findings.{RULE.id}]\n{LIMIT} = 7\n")
        lowered = {RULE.id: {LIMIT: 1.0}}
        assert decided(chosen(), lowered).findings.limits == lowered
        typed = chosen("--set", f"{RULE.id}.{LIMIT}=3")
        assert decided(typed, lowered).findings.limits == {RULE.id: {LIMIT: 3.0}}

    def test_a_named_file_is_read_instead(self, home: Path, tmp_path: Path) -> None:
        home.write_text("interval = 5")
        other = tmp_path / "other.toml"
        other.write_text("interval = 3\n[keys]\nhelp = 'f1'\n")
        assert decided(chosen("--config", str(other))) == EffectiveConfiguration(
            3.0, FindingSettings(), {"help": "f1"}
        )
        assert decided(chosen("--config", "/dev/null")).interval == 1.0

    def test_a_relative_directory_is_ignored(
        self, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        home.write_text("interval = 5")
        monkeypatch.chdir(home.parent.parent)
        monkeypatch.setenv("XDG_CONFIG_HOME", ".")
        monkeypatch.setenv("HOME", str(home.parent))
        assert decided(chosen()).interval == 1.0
        (home.parent / ".config" / "tcptop").mkdir(parents=True)
        (home.parent / ".config" / "tcptop" / "config.toml").write_text("interval = 7")
        assert decided(chosen()).interval == 7.0

    def test_a_byte_order_mark_is_no_text(self, home: Path) -> None:
        home.write_bytes(b"\xef\xbb\xbfinterval = 5")
        assert decided(chosen()).interval == 5.0

    def test_keys_are_judged_where_there_is_no_screen(self, home: Path) -> None:
        home.write_text('[keys]\npawse = "p"\n')
        with pytest.raises(CommandError, match="configuration: keys: unknown action"):
            decided(chosen())

    def test_a_wrong_file_is_named(self, home: Path) -> None:
        home.write_text("interval 5")
        with pytest.raises(CommandError, match=r"config\.toml: .*line 1"):
            decided(chosen())
        home.write_bytes(b"interval = 1 # \xff")
        with pytest.raises(CommandError, match=r"config\.toml: not UTF-8"):
            decided(chosen())

    def test_what_is_typed_is_checked_against_the_rules(self, home: Path) -> None:
        for words, says in (
            (["--set", f"{RULE.id}.cheese=1"], f'{RULE.id} has no threshold "cheese"'),
            (["--set", "cheese.x=1"], 'unknown finding "cheese"'),
            (["--ignore", RULE.id[:-1]], f"did you mean {RULE.id}"),
        ):
            with pytest.raises(options.UsageError) as caught:
                decided(chosen(*words))
            assert says in str(caught.value)

    def test_every_threshold_can_be_set(self, home: Path) -> None:
        words = [f"--set={id}.{name}=1" for id, names in THRESHOLDS.items() for name in names]
        assert decided(chosen(*words)).findings.limits == {
            id: dict.fromkeys(names, 1.0) for id, names in THRESHOLDS.items() if names
        }

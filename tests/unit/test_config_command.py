"""`tcptop config`: what holds, where it is from, and that the same holds when it is read again."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tcptop import command_line
from tcptop.analysis.findings.rules import RULES
from tcptop.commands.config import run
from tcptop.commands.effective import decided
from tcptop.options import ConfigOptions

FILE = """\
interval = 2
ignore = ["resets"]
theme = "dark"
[findings.fd-limit]
share = 0.625
[keys]
pause = "p, f8"
"""


def parsed(*words: str) -> ConfigOptions:
    chosen = command_line.parse(["config", *words])
    assert isinstance(chosen, ConfigOptions)
    return chosen


def told(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert run(parsed(*words)) == 0
    return capsys.readouterr().out


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(FILE)
    return path


def test_every_threshold_is_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    findings = tomllib.loads(told(capsys, "--config", "/dev/null"))["findings"]
    assert findings == {
        rule.id: {each.name: each.default for each in rule.thresholds}
        for rule in RULES
        if rule.thresholds
    }


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("-i", "0.5", "--idle-timeout", "350", "--ignore", "nagle-delayed-ack"),
        ("--set", "fd-limit.share=0.25", "--set", "syn-flood.share=0.125"),
    ],
)
def test_read_again_it_means_the_same(
    capsys: pytest.CaptureFixture[str], file: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    words = ("--config", str(file), *words)
    again = tmp_path / "again.toml"
    again.write_text(told(capsys, *words))
    one, two = decided(parsed(*words)), decided(parsed("--config", str(again)))
    for rule in RULES:
        for name, default, _ in rule.thresholds:
            values = {
                each.findings.limits.get(rule.id, {}).get(name, default) for each in (one, two)
            }
            assert len(values) == 1, (rule.id, name)
    assert (one.interval, one.theme, one.keys) == (two.interval, two.theme, two.keys)
    assert one.findings.ignored == two.findings.ignored
    assert one.findings.idle_timeout_s == two.findings.idle_timeout_s


def test_each_value_says_where_it_is_from(capsys: pytest.CaptureFixture[str], file: Path) -> None:
    words = ("-i", "3", "--config", str(file), "--set", "syn-flood.share=0.1", "--ignore", "resets")
    lines = told(capsys, *words, "--ignore", "syn-flood").splitlines()
    origins = {
        line.split(" #")[0].strip(): line.split(" # ")[-1] for line in lines if " # " in line
    }
    assert lines[0] == f"# the configuration file: {file}"
    assert origins["interval = 3.0"] == "command line"
    assert origins['theme = "dark"'] == str(file)
    assert origins['"resets",'] == origins['"syn-flood",'] == "command line"
    assert origins["share = 0.625"].startswith(f"{file}; ")
    assert origins["share = 0.1"].startswith("command line; ")
    assert origins["backoff = 3"].startswith("default; ")
    assert origins['pause = "p, f8"'] == str(file)


def test_a_wrong_file_is_named_as_every_command_names_it(tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text("intervall = 1\n")
    with pytest.raises(Exception, match="unknown key") as caught:
        run(parsed("--config", str(path)))
    assert str(caught.value).startswith(str(path))


def test_without_a_file_it_says_so(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert told(capsys).startswith("# the configuration file: none\n")


def test_a_name_that_would_reach_the_terminal_is_escaped(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "\x1b[2J.toml"
    path.write_text("interval = 2\n")
    assert "\x1b" not in told(capsys, "--config", str(path))

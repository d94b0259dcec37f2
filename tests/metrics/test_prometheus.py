"""A real Prometheus scrapes tcptop while something is wrong: it takes every metric, alerts fire,
the queries of the dashboard are answered."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import URLError
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from tcptop.demo.scenarios import choose
from tcptop.demo.stage import Stage

ROOT = Path(__file__).parents[2]
RULES = ROOT / "monitoring" / "tcptop.rules.yml"
DASHBOARD = json.loads((ROOT / "monitoring" / "grafana-dashboard.json").read_text())
TCPTOP = [sys.executable, "-m", "tcptop", "metrics", "--config", "/dev/null"]
PATIENCE_S = 90
CONFIGURATION = """\
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [{rules}]
scrape_configs:
  - job_name: tcptop
    static_configs: [{{targets: ["{target}"]}}]
"""


class Watched(NamedTuple):
    tcptop: str  # where it serves
    prometheus: str


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def fetched(url: str, **headers: str) -> str:
    with urlopen(Request(url, headers=headers), timeout=30) as answer:
        text: str = answer.read().decode()
        return text


def until(url: str) -> str:
    """Once somebody answers."""
    end = time.monotonic() + PATIENCE_S
    while True:
        with suppress(URLError, OSError):
            return fetched(url)
        assert time.monotonic() < end
        time.sleep(0.2)


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    folder = tmp_path_factory.mktemp("prometheus")
    with Stage(choose(["accept-queue-overflow", "close-wait-leak"])) as stage:
        words = [*TCPTOP, "--listen", "127.0.0.1:0", "--netns", str(stage.pid)]
        with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as exporter:
            assert exporter.stderr is not None
            said = exporter.stderr.readline()
            target = said.removeprefix("tcptop: http://").partition("/metrics; ")[0]
            with _prometheus(folder, target) as (process, address):
                yield Watched(f"http://{target}/metrics", address)
                process.terminate()
            exporter.terminate()
        assert exporter.returncode == 0


class _prometheus:  # noqa: N801 a context manager
    def __init__(self, folder: Path, target: str) -> None:
        rules = folder / "rules.yml"
        rules.write_text(re.sub(r"for: \w+", "for: 1s", RULES.read_text()))
        (folder / "prometheus.yml").write_text(CONFIGURATION.format(rules=rules, target=target))
        self._folder, self._address = folder, f"127.0.0.1:{free_port()}"

    def __enter__(self) -> tuple[subprocess.Popen[bytes], str]:
        words = ["prometheus", f"--config.file={self._folder}/prometheus.yml"]
        words += [f"--storage.tsdb.path={self._folder}/data"]
        words += [f"--web.listen-address={self._address}"]
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(words, stdout=log, stderr=log, cwd=self._folder)
        until(f"http://{self._address}/-/ready")
        return self._process, f"http://{self._address}"

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(30)


def answered(watched: Watched, query: str) -> list[dict[str, Any]]:
    """What a query gives. A query that is wrong is an HTTP error."""
    told = json.loads(fetched(f"{watched.prometheus}/api/v1/query?query={quote(query)}"))
    found: list[dict[str, Any]] = told["data"]["result"]
    return found


def once(watched: Watched, query: str) -> list[dict[str, Any]]:
    """When it gives something."""
    end = time.monotonic() + PATIENCE_S
    while not (found := answered(watched, query)):
        assert time.monotonic() < end, query
        time.sleep(0.5)
    return found


def test_promtool_has_nothing_to_say_of_the_metrics(watched: Watched) -> None:
    done = subprocess.run(
        ["promtool", "check", "metrics"],
        input=fetched(watched.tcptop), capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_promtool_takes_the_rules() -> None:
    done = subprocess.run(
        ["promtool", "check", "rules", str(RULES)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


def test_clients_that_say_nothing_keep_nobody_waiting(watched: Watched) -> None:
    host, _, port = watched.tcptop.removeprefix("http://").removesuffix("/metrics").rpartition(":")
    with ExitStack() as stack:
        for _ in range(60):
            stack.enter_context(socket.create_connection((host, int(port))))
        assert "tcptop_sockets{" in fetched(watched.tcptop)


def test_open_metrics_end_as_they_must(watched: Watched) -> None:
    text = fetched(watched.tcptop, Accept="application/openmetrics-text; version=1.0.0")
    assert text.endswith("# EOF\n")


def test_prometheus_scrapes_it(watched: Watched) -> None:
    once(watched, "up == 1")
    once(watched, "rate(tcptop_samples_total[10s]) > 0")
    assert answered(watched, "scrape_samples_scraped")[0]["value"][1] != "0"


@pytest.mark.parametrize("alert", ["TcptopCritical", "TcptopAcceptQueueFull"])
def test_what_is_wrong_fires_an_alert(watched: Watched, alert: str) -> None:
    once(watched, f'ALERTS{{alertname="{alert}", alertstate="firing"}}')


def test_no_alert_of_what_is_well(watched: Watched) -> None:
    once(watched, "up == 1")
    for alert in ("TcptopDoesNotSample", "TcptopPortsRunOut", "TcptopOpenFiles"):
        assert answered(watched, f'ALERTS{{alertname="{alert}"}}') == []


def queries() -> list[str]:
    found = [each["expr"] for panel in DASHBOARD["panels"] for each in panel["targets"]]
    return [each.replace("$__rate_interval", "10s").replace("$instance", ".*") for each in found]


@pytest.mark.parametrize("query", queries())
def test_the_dashboard_asks_for_what_there_is(watched: Watched, query: str) -> None:
    once(watched, "rate(tcptop_samples_total[10s]) > 0")
    found = answered(watched, query)
    assert found or "ephemeral" in query or "open_files" in query, query
    served = fetched(watched.tcptop)
    for name in re.findall(r"tcptop_\w+", query):
        assert f"{name}{{" in served or f"{name} " in served


def test_grafana_knows_every_field_of_the_dashboard() -> None:
    """By its own schema; a Grafana is in no registry that a test may ask."""
    read = Dashboard.from_json(DASHBOARD)
    assert lost(DASHBOARD, json.loads(JSONEncoder().encode(read)), "") == []


def lost(wanted: Any, found: Any, place: str) -> list[str]:
    """Where they differ."""
    if isinstance(wanted, dict):
        return [
            line
            for key, value in wanted.items()
            for line in lost(value, (found or {}).get(key), f"{place}/{key}")
        ]
    if isinstance(wanted, list):
        pairs = zip(wanted, found or [], strict=False)
        missing = [place] if len(wanted) != len(found or []) else []
        return missing + [
            line for n, pair in enumerate(pairs) for line in lost(*pair, f"{place}[{n}]")
        ]
    return [] if wanted == found else [place]


def test_a_file_is_written_whole_and_others_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "tcptop.prom"
    done = subprocess.run([*TCPTOP, "--once", "--textfile", str(path)], timeout=100)
    assert done.returncode == 0
    assert path.stat().st_mode & 0o777 == 0o644
    assert "tcptop_samples_total 1.0\n" in path.read_text()
    assert [each.name for each in tmp_path.iterdir()] == ["tcptop.prom"]


def test_a_port_that_is_taken_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = subprocess.run(
            [*TCPTOP, "--listen", address], capture_output=True, text=True, timeout=100
        )
    assert done.returncode == 1
    assert done.stderr == f"tcptop: --listen {address}: Address already in use\n"

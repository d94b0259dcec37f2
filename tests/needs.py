"""What tests need of the machine: programs of Debian, and the right to make network namespaces.

Programs that are missing are installed before the first test. Where that may not be, the tests that
run them are skipped, and the end of the run says which. With TCPTOP_TEST_ALL nothing is skipped.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from tcptop.demo import linux

EVERYTHING = bool(os.environ.get("TCPTOP_TEST_ALL"))

PACKAGES = {
    "/etc/services": "netbase",
    "busybox": "busybox-static",
    "chromium-headless-shell": "chromium-headless-shell",
    "crun": "crun",
    "curl": "curl",
    "ethtool": "ethtool",
    "fish": "fish",
    "haproxy": "haproxy",
    "ip": "iproute2",
    "iperf3": "iperf3",
    "nft": "nftables",
    "nginx": "nginx-light",
    "nstat": "iproute2",
    "openssl": "openssl",
    "pgbouncer": "pgbouncer",
    "podman": "podman",
    "postgres": "postgresql",
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "redis-benchmark": "redis-tools",
    "redis-server": "redis-server",
    "ss": "iproute2",
    "sysctl": "procps",
    "tmux": "tmux",
    "wrk": "wrk",
    "zsh": "zsh",
}

NAMESPACES = "network namespaces"
_INSIDE = (NAMESPACES, "ip")
_KERNEL = (*_INSIDE, "nstat", "ss", "sysctl")
_LAB = (*_INSIDE, "nginx")
# By the beginning of a test's name. `held_to` keeps the programs of this table complete.
NEEDS = {
    "tests/healthy/": (
        *(*_INSIDE, "curl", "haproxy", "iperf3", "nginx", "pgbouncer", "postgres"),
        *("redis-benchmark", "redis-server", "wrk"),
    ),
    "tests/incidents/test_accepting.py": (*_LAB, "haproxy", "redis-server"),
    "tests/incidents/test_calling.py": (*_LAB, "haproxy", "nft"),
    "tests/incidents/test_cut.py": (*_LAB, "haproxy", "nft", "redis-server"),
    "tests/incidents/test_edge.py": (*_LAB, "haproxy", "openssl", "wrk"),
    "tests/incidents/test_failing.py": (*_LAB, "haproxy", "nft", "openssl"),
    "tests/incidents/test_held_up.py": (*_LAB, "haproxy", "nft"),
    "tests/incidents/test_keeping.py": _LAB,
    "tests/incidents/test_late.py": (*_LAB, "nft"),
    "tests/incidents/test_network.py": (*_LAB, "ethtool", "nft"),
    "tests/incidents/test_reading.py": (*_LAB, "nft", "redis-server"),
    "tests/incidents/test_restrained.py": _INSIDE,
    "tests/incidents/test_slow.py": _INSIDE,
    "tests/incidents/test_unconnected.py": (*_LAB, "haproxy", "nft"),
    "tests/incidents/test_ways.py": (*_LAB, "ethtool"),
    "tests/incidents/test_waiting.py": (*_INSIDE, "haproxy", "redis-server"),
    "tests/kernel/": _KERNEL,
    "tests/kernel/test_podman.py": ("busybox", "crun", "podman"),
    "tests/kernel/test_via.py": (*_KERNEL, "busybox"),
    "tests/metrics/test_prometheus.py": (*_INSIDE, "prometheus", "promtool"),
    "tests/metrics/test_scrape.py": (*_INSIDE, "nstat", "ss"),
    "tests/record/test_diff.py": _INSIDE,
    "tests/record/test_dump.py": (*_INSIDE, "ss"),
    "tests/record/test_queries.py": _INSIDE,
    "tests/record/test_record.py": _INSIDE,
    "tests/record/test_report.py": (*_INSIDE, "chromium-headless-shell"),
    "tests/replay/": _INSIDE,
    "tests/tui/test_monkey.py": _INSIDE,
    "tests/tui/test_namespace.py": _INSIDE,
    "tests/tui/test_opened.py": _INSIDE,
    "tests/tui/test_program.py": _INSIDE,
    "tests/tui/test_recording.py": _INSIDE,
    "tests/tui/test_remapping.py": _INSIDE,
    "tests/tui/test_themes.py": _INSIDE,
    "tests/tui/test_via.py": _INSIDE,
    "tests/unit/test_clipboard.py::test_tmux": ("tmux",),
    "tests/kernel/test_names.py::test_rows_in_tmux": ("tmux",),
    "tests/unit/test_completion.py": ("fish", "zsh"),
    "tests/unit/test_explain.py::test_ss_takes": ("ss",),
    "tests/unit/test_resolver.py::test_a_name_server": _INSIDE,
    "tests/unit/test_resolver.py::test_names_that_lie": _INSIDE,
    "tests/unit/test_resolver.py": ("/etc/services",),
}
_WITHOUT_NAMESPACES = "without CAP_SYS_ADMIN: run the tests as root, a container with --privileged"
_POLICY = Path("/usr/sbin/policy-rc.d")


def lacking(test: str) -> Iterator[str]:
    """Why this machine cannot run a test, and what helps; by the test's name."""
    for need in _needs(test):
        if need == NAMESPACES and not _namespaces():
            yield _WITHOUT_NAMESPACES
        elif need != NAMESPACES and not found(need):
            yield f"without {need}: apt-get install {PACKAGES[need]}"


def packages(chosen: Iterable[str]) -> list[str]:
    """What is missing of Debian for the tests whose names, files or folders are these."""
    wanted = {
        need
        for each in chosen
        for start, needs in NEEDS.items()
        if start.startswith(each) or each.startswith(start)
        for need in needs
    }
    return sorted({PACKAGES[need] for need in wanted - {NAMESPACES} if not found(need)})


def install(missing: Sequence[str]) -> str:
    """Install packages without starting their services; what stands against it, or nothing."""
    if os.geteuid() != 0:
        return "only root can install them"
    if not shutil.which("apt-get"):
        return "there is no apt-get"
    with _no_service_starts():
        said = _apt("update") or _apt("install", "--no-install-recommends", *missing)
        if said:  # what there is, then
            for each in missing:
                _apt("install", "--no-install-recommends", each)
    found.cache_clear()
    return said


@cache
def found(program: str) -> bool:
    if program == "postgres":  # Debian keeps each version by itself
        return any(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    return os.path.exists(program) if "/" in program else shutil.which(program) is not None


def held_to(test: str, words: Sequence[object]) -> None:
    """Raise AssertionError where a test runs a program that NEEDS does not say of it."""
    names = {os.path.basename(str(word)) for word in words}
    unsaid = (names & PACKAGES.keys()) - set(_needs(test))
    assert not unsaid, f"tests/needs.py does not say that {test} runs {', '.join(unsaid)}"


def _needs(test: str) -> Iterator[str]:
    for start, needs in NEEDS.items():
        if test.startswith(start):
            yield from needs


@cache
def _namespaces() -> bool:
    """Whether a process can make a network namespace and enter it, tried in a child."""
    child = os.fork()
    if child == 0:
        try:
            linux.unshare(linux.CLONE_NEWNET)
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitpid(child, 0)[1] == 0


@contextmanager
def _no_service_starts() -> Iterator[None]:
    """Packages start their services unless this says no (invoke-rc.d(8))."""
    if _POLICY.exists():
        yield
        return
    _POLICY.write_text("#!/bin/sh\nexit 101\n")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink()


def _apt(*words: str) -> str:
    """The last complaint of apt-get, if it failed."""
    command = ["apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=600", *words]
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(command, capture_output=True, text=True, env=environ)
    complaints = [line for line in done.stderr.splitlines() if line.strip()]
    return (complaints or ["it failed"])[-1] if done.returncode else ""

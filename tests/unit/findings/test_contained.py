"""Findings name the container of whom they are about."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tcptop.analysis.findings import words
from tcptop.analysis.findings.contained import located
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.settings import FindingSettings
from tcptop.model.finding import Finding, Subject
from tcptop.model.sample import Namespace, Process
from tests.unit.prepared import NETNS, NGINX, WORKER, derived, owners, sample, socket

ID = "3f2a" * 16
POD = f"/kubepods/pod0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0/{ID}"


def titled(title: str, *people: Process) -> str:
    rows = [socket("LISTEN", f"10.0.0.5:{80 + n}", inode=7 + n) for n in range(len(people))]
    held = owners(*((7 + n, each, 3) for n, each in enumerate(people)))
    seen = Observations(derived(sample(rows, owners=held)), ())
    about = Subject(NETNS, tuple(each.pid for each in people))
    return located(seen, Finding("x", "x", "warning", title, about)).title


NAMED = replace(NGINX, cgroup=POD, container_name="payments-7d4f")
UNNAMED = replace(NGINX, cgroup=f"/system.slice/docker-{ID}.scope")


@pytest.mark.parametrize(
    ("process", "title", "told"),
    [
        (NGINX, "nginx leaks sockets", "nginx leaks sockets"),
        (NAMED, "nginx leaks sockets", "nginx in payments-7d4f leaks sockets"),
        (UNNAMED, "nginx leaks sockets", "nginx in docker container 3f2a3f2a3f2a leaks sockets"),
        (
            NAMED,
            "Full accept queue of :80 (nginx)",
            "Full accept queue of :80 (nginx in payments-7d4f)",
        ),
        (NAMED, "Full accept queue of :80", "Full accept queue of :80 (payments-7d4f)"),
        (NAMED, "raise nginx's limit", "raise nginx's limit (payments-7d4f)"),
        (NAMED, "nginx.conf of nginx.", "nginx.conf of nginx in payments-7d4f."),
        (NAMED, "payments-7d4f is full", "payments-7d4f is full"),
        (
            replace(NAMED, container_name="\x1b[31m"),
            "nginx leaks sockets",
            "nginx in \\x1b[31m leaks sockets",
        ),
    ],
)
def test_the_title_names_it(process: Process, title: str, told: str) -> None:
    assert titled(title, process) == told


def test_only_one_that_all_are_in() -> None:
    outside = replace(WORKER, pid=102)
    inside = replace(WORKER, cgroup=POD, container_name="payments-7d4f")
    assert titled("nginx leaks", NAMED, inside) == "nginx in payments-7d4f leaks"
    assert titled("nginx leaks", NAMED, outside) == "nginx leaks"
    assert titled("nginx leaks", NAMED, replace(UNNAMED, pid=9)) == "nginx leaks"


@pytest.mark.parametrize(
    ("space", "title", "told"),
    [
        (Namespace(NETNS, "web"), "web-1 leaks", "web-1 leaks (netns web)"),
        (Namespace(NETNS, "nginx"), "nginx leaks", "nginx leaks (netns nginx)"),
        (
            Namespace(NETNS, None, cgroup=POD, container_name="payments-7d4f"),
            "payments-7d4f leaks",
            "payments-7d4f leaks",
        ),
    ],
)
def test_a_namespace_is_told_unless_the_name_of_its_container_is(
    space: Namespace, title: str, told: str
) -> None:
    seen = Observations(derived(sample([], namespaces=(space,))), (), FindingSettings(home=1))
    assert located(seen, Finding("x", "x", "warning", title, Subject(NETNS))).title == told


HERE = "This host sends nothing: a filter of this host takes it. It is on this host. On this host"
POD_SPACE = Namespace(NETNS, None, cgroup=POD, container_name="payments-7d4f")


@pytest.mark.parametrize(
    ("space", "home", "called"),
    [
        (Namespace(NETNS, "blue"), 1, "Namespace blue"),
        (Namespace(NETNS, None), 1, f"Namespace {NETNS}"),
        (Namespace(NETNS, None, first=True), 1, "Host namespace"),
        (Namespace(NETNS, "two words\x1b"), 1, "Namespace two words\\x1b"),
        (POD_SPACE, 1, "Container payments-7d4f"),
        (POD_SPACE, NETNS, "This host"),
        (POD_SPACE, None, "This host"),
    ],
)
def test_what_is_said_of_this_host_is_said_of_the_namespace(
    space: Namespace, home: int | None, called: str
) -> None:
    """Of its network; what is on the machine stays so."""
    seen = Observations(derived(sample([], namespaces=(space,))), (), FindingSettings(home=home))
    said = located(seen, Finding("x", "x", "warning", HERE, Subject(NETNS), {}, (HERE,), HERE))
    low = called[0].lower() + called[1:]
    told = f"{called} sends nothing: a filter of {low} takes it. It is on this host. On this host"
    assert (said.evidence, said.advice) == ((told,), told)
    assert said.title == told  # which says where it is


def test_without_a_process_the_sockets_tell() -> None:
    rows = [
        socket("LISTEN", "10.0.0.5:80", inode=7, cgroup_id=78),
        socket("LISTEN", "10.0.0.5:81", inode=8, cgroup_id=77),
    ]
    groups = {78: POD, 77: "/system.slice/nginx.service"}
    seen = Observations(derived(sample(rows, cgroups=groups)), ())
    full = Finding("x", "x", "warning", "Full queue", Subject(NETNS, listener="10.0.0.5:80"))
    assert located(seen, full).title == "Full queue (containerd container 3f2a3f2a3f2a)"
    other = replace(full, subject=Subject(NETNS, listener="10.0.0.5:81"))
    assert located(seen, other).title == "Full queue"
    host = replace(full, subject=Subject(NETNS))
    assert located(seen, host).title == "Full queue"


def test_who_is_in_it() -> None:
    container = f"payments-7d4f (containerd container {ID[:12]})"
    assert words.who(NAMED) == f"nginx (pid 100) in {container}"
    assert words.who(UNNAMED) == f"nginx (pid 100, docker container {ID[:12]})"
    assert words.who(NGINX) == "nginx (pid 100, nginx.service)"
    assert words.who(replace(NGINX, cgroup="/", container_name="jail-7")) == (
        "nginx (pid 100) in jail-7 (container)"
    )

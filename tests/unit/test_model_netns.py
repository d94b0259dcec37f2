"""Commands for a shell that is in another namespace than what they are about."""

from __future__ import annotations

import pytest

from tcptop.analysis.findings.settings import FindingSettings
from tcptop.model.netns import from_outside, text_from_outside
from tcptop.model.sample import Namespace
from tests.unit.findings.test_black_hole import lost
from tests.unit.findings.watched import once
from tests.unit.prepared import NETNS


@pytest.mark.parametrize(
    ("command", "inside", "typed"),
    [
        ("ss -ltn", "4711", "nsenter -t 4711 -n ss -ltn"),
        ("ss -tan | wc -l", "web", "ip netns exec web ss -tan | wc -l"),
        ("ss -ltn; nstat -az", "web", "ip netns exec web sh -c 'ss -ltn; nstat -az'"),
        ("ss -ltn", "a b", "ip netns exec 'a b' ss -ltn"),
        ("ip netns exec web ss -ltn", "web", "ip netns exec web ss -ltn"),
        ("sysctl net.ipv4.tcp_mem", "web", "sysctl net.ipv4.tcp_mem"),  # absent in there
        (
            "nstat -az; sysctl net.ipv4.tcp_mem; ss -t",
            "web",
            "ip netns exec web nstat -az; sysctl net.ipv4.tcp_mem; ip netns exec web ss -t",
        ),
    ],
)
def test_a_command_line(command: str, inside: str, typed: str) -> None:
    assert from_outside(command, inside) == typed


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        (
            "Or sysctl -w net.core.somaxconn=511 (now 128), and a restart.",
            "Or ip netns exec web sysctl -w net.core.somaxconn=511 (now 128), and a restart.",
        ),
        ("sysctl net.ipv4.tcp_rmem", "ip netns exec web sysctl net.ipv4.tcp_rmem"),
        ("No sysctl fixes this.", "No sysctl fixes this."),
        ("sysctl -w net.ipv4.tcp_max_orphans=9", "sysctl -w net.ipv4.tcp_max_orphans=9"),
        (
            "sysctl -w net.netfilter.nf_conntrack_max=9",
            "sysctl -w net.netfilter.nf_conntrack_max=9",
        ),
        ("accept queue is not full (ss -ltn there).", "accept queue is not full (ss -ltn there)."),
        (
            "it is there (ss -ltn), or not (ss -ltn there)",
            "it is there (ip netns exec web ss -ltn), or not (ss -ltn there)",
        ),
        ("see ss -tan and miss -x", "see ip netns exec web ss -tan and miss -x"),
        (
            "a filter (nft list ruleset, iptables-save -c), ip neigh",
            "a filter (ip netns exec web nft list ruleset, ip netns exec web iptables-save -c), "
            "ip netns exec web ip neigh",
        ),
        (
            "tcpdump -ni any 'icmp' shows who; tcpdump shows it (nft, iptables)",
            "ip netns exec web tcpdump -ni any 'icmp' shows who; tcpdump shows it (nft, iptables)",
        ),
    ],
)
def test_commands_in_a_sentence(text: str, typed: str) -> None:
    assert text_from_outside(text, "web") == typed


def test_findings_of_another_namespace_say_the_way_in() -> None:
    rows = [lost(f"10.0.0.{number}:443", cookie=number) for number in (1, 2)]
    named = (Namespace(NETNS, "web"),)
    (elsewhere,) = once(rows, FindingSettings(home=NETNS + 1), namespaces=named)
    (at_home,) = once(rows, FindingSettings(home=NETNS), namespaces=named)
    assert at_home.confirm.startswith("ss ")
    assert elsewhere.confirm == f"ip netns exec web {at_home.confirm}"

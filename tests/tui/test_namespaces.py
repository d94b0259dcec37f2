"""Two network namespaces that use the same addresses and ports at once, on the screen."""

from __future__ import annotations

from dataclasses import replace

from tcptop.analysis.findings.settings import FindingSettings as Findings
from tcptop.model.sample import Namespace, Sample
from tests.tui.live import Live, live
from tests.unit.prepared import (
    CURL,
    NETNS,
    NGINX,
    OTHER_NETNS,
    kernel,
    later,
    owners,
    sample,
    socket,
)

WEB, CLIENT = "10.0.0.1:80", "10.0.0.7:51000"
SPACES = (
    Namespace(NETNS, None, {1: "lo"}, first=True, pids=(1, 7), processes=12),
    Namespace(OTHER_NETNS, "lab", {1: "lo", 5: "veth0"}, pids=(100,), processes=1),
    Namespace(77, None, {}, cgroup="/system.slice/idle.service", processes=1, pids=(9,)),
)


def twins() -> Sample:
    """A full listener and a connection to it, twice: of nginx, and of curl in another namespace."""
    rows = [
        socket("LISTEN", WEB, inode=inode, netns=netns, recv_q=queue, send_q=128)
        for netns, inode, queue in ((NETNS, 1, 0), (OTHER_NETNS, 3, 129))
    ]
    rows += [
        socket("ESTABLISHED", WEB, CLIENT, inode=inode, netns=netns, recv_q=queue)
        for netns, inode, queue in ((NETNS, 2, 5), (OTHER_NETNS, 4, 7))
    ]
    held = owners((1, NGINX, 3), (2, NGINX, 4), (3, CURL, 3), (4, CURL, 4))
    theirs = kernel(OTHER_NETNS, opens=50, sysctls={"net.core.somaxconn": "77"})
    return sample(rows, namespaces=SPACES, owners=held, kernel=(kernel(), theirs))


async def test_each_row_says_its_namespace() -> None:
    async with live(twins(), size=(160, 30)) as view:
        for number in ("1", "2", "3", "5"):
            await view.press(number)
            assert "Netns" in view.titles(), number
            spaces = [row.split()[-1] for row in view.rows()]
            assert {"host", "lab"} <= {*" ".join(view.rows()).split()}, spaces


async def test_rows_of_another_namespace_alone_say_it_too() -> None:
    async with live(twins(), size=(160, 30)) as view:
        await view.press("2")
        await view.type("netns = lab")
        assert len(view.rows()) == 2
        assert "Netns" in view.titles()


async def test_a_page_says_in_which_namespace_its_thing_is() -> None:
    async with live(twins(), size=(160, 60)) as view:
        for number in ("1", "2", "3", "5"):
            for space in ("lab", "host"):
                await view.press(number, "g")
                for _ in view.rows():
                    if space not in view.cursor():
                        await view.press("j")
                await view.press("enter")
                assert ("(netns lab)" in view.text()) == (space == "lab"), number
                await view.press("escape")


async def test_findings_of_two_namespaces_are_told_apart_where_titles_are_cut() -> None:
    first = twins()
    samples = [later(first, float(number)) for number in range(8)]
    for width in (80, 100):
        async with live(*samples, size=(width, 40)) as view:
            await view.press("7")
            assert "Netns" in view.titles()
            assert {row.split()[-1] for row in view.rows()} == {"lab", "host"}


async def test_the_tree_has_what_nobody_holds_apart_by_namespace() -> None:
    nobody = replace(twins(), owners=owners())
    async with live(nobody, size=(160, 40)) as view:
        await view.press("2", "t")
        groups = [row.split("  ")[0] for row in view.rows() if row.lstrip("!* ")[:2] == "- "]
        assert len(groups) == 2
        assert sum("(netns lab)" in group for group in groups) == 1


async def test_the_overview_says_the_namespace_of_what_is_full() -> None:
    async with live(twins(), size=(160, 40), opening=None) as view:
        text = view.text()
        (line,) = (each for each in text.splitlines() if "129/129" in each)
        assert " lab " in line


async def test_one_namespace_alone_needs_no_column() -> None:
    found = twins()
    alone = replace(found, sockets=found.sockets.take(found.sockets.netns == NETNS))
    async with live(alone, size=(160, 30)) as view:
        for number in ("1", "2", "3", "5"):
            await view.press(number)
            assert "Netns" not in view.titles(), number
            await view.press("enter")
            assert "Netns" not in view.text(), number


async def test_the_list_of_namespaces() -> None:
    first = twins()
    async with live(first, later(first, 1.0), size=(160, 30)) as view:
        await view.press("A")
        named = {row.strip("!* ").split()[0]: row.strip("!* ") for row in view.rows()}
        assert named.keys() == {"host", "lab", "idle.service"}
        assert named["lab"].split()[1:4] == ["2", "1", "1"]
        assert str(OTHER_NETNS) in named["lab"]
        await view.press("tab")
        assert view.session.here.view == "overview"


async def test_the_pane_of_a_namespace_has_what_is_in_it() -> None:
    async with live(twins(), size=(160, 60)) as view:
        await view.press("A")
        while "lab" not in view.cursor():
            await view.press("j")
        await view.press("enter")
        text = view.text()
        assert "Network namespace lab" in text
        assert "veth0" in text
        assert "curl/200" in text
        assert "nginx/" not in text
        assert "somaxconn" in text
        assert " 77 " in text
        await view.press("enter")  # its sockets
        assert f"netns = {OTHER_NETNS}" in view.text()
        assert len(view.rows()) == 2


async def test_the_kernel_is_that_of_the_namespace_that_the_filter_selects() -> None:
    async with live(twins(), size=(160, 60)) as view:
        await view.press("6")
        assert "host" in view.rows()[0]
        await view.type("netns = lab")
        assert "lab" in view.rows()[0]
        assert " 50 " in next(row for row in view.rows() if "ActiveOpens" in row)


async def test_a_finding_says_the_namespace_that_is_not_the_shells() -> None:
    first = twins()
    samples = [later(first, float(number)) for number in range(8)]
    home = Findings(home=NETNS)
    async with live(first, *samples[1:], size=(160, 40), findings=home) as view:
        newest = view.session.time.newest
        assert newest is not None
        told = {
            (each.subject.netns, each.title.endswith("(netns lab)")) for each in newest.findings
        }
        assert told == {(NETNS, False), (OTHER_NETNS, True)}


async def test_the_page_of_a_namespace_has_charts_of_its_own() -> None:
    first = twins()
    counted = [(kernel(), kernel(OTHER_NETNS, opens=50 + 30 * n)) for n in range(4)]
    samples = [later(first, float(n), kernel=each) for n, each in enumerate(counted)]
    async with live(*samples, size=(160, 60)) as view:
        await view.press("A", "g")
        for _ in view.rows():
            if "lab" not in view.cursor():
                await view.press("j")
        await view.press("enter")
        text = view.text()
        assert "Opened a second" in text
        assert " 30" in text[text.index("Opened a second") :]


async def test_a_tree_of_namespaces() -> None:
    async with live(twins(), size=(300, 40)) as view:
        assert "a by netns" not in await hinted(view, "2", "t")
        await view.press("a")
        assert "a by netns" in await hinted(view)
        await view.press("a")
        assert view.status().startswith(" by netns and process")
        assert view.titles().strip("! ").startswith("Netns, process, remote")
        assert view.titles().split().count("Netns") == 0
        rows = [row.strip("!* ").split("  ")[0] for row in view.rows()]
        groups = [row for row in rows if row[:2] == "- "]
        assert groups == ["- host", "- lab"] or groups == ["- lab", "- host"]
        lab = rows[rows.index("- lab") + 1 :][:2]
        assert all("curl/200" in row for row in lab), rows
        assert "a by process" in await hinted(view)
        await view.press("a")
        assert view.status().startswith(" by process and remote")


async def hinted(view: Live, *keys: str) -> str:
    await view.press(*keys)
    await view.press("ctrl+l")  # what was said is gone
    return view.status()

"""`tcptop snapshot --format text` prints the rows of `ss -Htan`."""

import io
from collections import Counter

from tcptop.analysis.selection import select
from tcptop.demo.held import until
from tcptop.demo.namespace import DemoNamespace
from tcptop.views import text as text_view
from tests.kernel.snapshots import snapshot_of
from tests.kernel.zoo import Zoo


def test_text_rows_are_those_of_ss(zoo: Zoo) -> None:
    def as_printed() -> list[Counter[tuple[str, ...]]]:
        ours = rows_of_text(zoo.namespace)
        lines = zoo.namespace.command(["ss", "-Htan"]).splitlines()
        return [ours, Counter(tuple(line.split()[:5]) for line in lines)]

    until(lambda: (seen := as_printed())[0] == seen[1], "the same rows")
    ours, theirs = as_printed()
    assert sum(ours.values()) > 120
    assert sum((ours - theirs).values()) <= 2


def rows_of_text(namespace: DemoNamespace) -> Counter[tuple[str, ...]]:
    """State, queues and both ends of each row of `tcptop snapshot --format text`."""
    out = io.StringIO()
    text_view.write(select(snapshot_of(namespace)), out)
    _, _, rows = out.getvalue().partition("Process\n")
    return Counter(tuple(line.split()[:5]) for line in rows.splitlines())

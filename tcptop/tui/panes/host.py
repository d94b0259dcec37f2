"""The pane of one of the host's numbers: how it went, what it means, what it is counted from."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tcptop.analysis.rings import HOST
from tcptop.columns import KERNEL, OVERVIEW, kernel, units
from tcptop.columns import overview as measures
from tcptop.columns.overview import NUMBERS, HostNumber
from tcptop.model.cells import safe
from tcptop.tui.panes.charts import Drawing, bands
from tcptop.tui.panes.rows import Pane, PaneRow, Scene, Target, place_of, told, wrapped


def pane(scene: Scene, key: int) -> Pane | None:
    """None for no such number."""
    place = place_of(OVERVIEW, scene.selection, key)
    if place is None:
        return None
    measure = NUMBERS[place]
    (now,) = measures.texts(scene.selection, np.array([place]))
    series = scene.series("host", HOST, measure.metric)
    drawing = Drawing(measure.title, measure.unit, [("", series)])
    return Pane(
        f"{measure.title} of this host",
        [
            told(scene.room, "now", now),
            *wrapped(scene.room, "meaning", measure.meaning),
            *(row for band in bands(scene.room, [drawing]) for row in band),
            *_counters(scene, measure),
            *_confirm(scene, measures.command(scene.selection, place)),
        ],
    )


def _confirm(scene: Scene, command: str) -> Iterator[PaneRow]:
    if command:
        yield from wrapped(scene.room, "confirm", command)


def _counters(scene: Scene, measure: HostNumber) -> Iterator[PaneRow]:
    """The counters of the kernel behind it; of the first namespace, as in their list."""
    rows = {row.confirm: (at, row) for at, row in enumerate(kernel.entries(scene.selection))}
    found, sample = kernel.kernel(scene.selection), scene.snapshot.sample
    if found is not None and len(sample.kernel) > 1 and measure.counters:
        title = safe(sample.space(found.netns))
        yield told(scene.room, "netns", title, "of which these are; the number is of all")
    for name in measure.counters:
        listed = rows.get(f"nstat -az {name}")
        if listed is not None:
            at, row = listed
            (key,) = KERNEL.keys(scene.selection, np.array([at])).tolist()
            rate = f"{row.name}  {units.rate(row.rate)}/s"
            yield told(scene.room, "counter", rate, row.meaning, "", Target(KERNEL, key))

"""The live view. Where to look:

    app.py            begins and ends it; keys and messages become actions
    keys.py           which keys do what; keymap.py: `[keys]` of the configuration
    actions.py        what each key does
    session.py        what is shown: a place (place.py), a moment (time_cursor.py), lists (lists.py)
    item.py           one row, opened: its pane or facts, as it was last when it is gone
    watcher.py        the thread that samples; a snapshot waits in SnapshotTaken until it is painted
    recorder.py       the thread that writes samples to a file (recording.py: its key)
    player.py         the thread that plays a recording instead; playhead.py: its keys of time
    timeline.py       the lines along the bottom of a replay
    hints.py          what the keys do now; notices.py: what could not be seen, said once
    screen.py         the main screen: paints what the session says; its lines are from header.py
    views.py          the ten views: the list of each (columns/), and what Enter shows (panes/)
    overview/         the first of them, as it is drawn
    models.py         rows of a list, of facts; tree_model.py, help.py, changes_model.py: other rows
    settings.py       what was decided, and what is remembered from run to run
    widgets/          tables, lines, prompts and boxes, which know no session
    terminal/         the bytes that go to the terminal, and the keys that come

`lists.py` and `panes/` are given a list and never ask `views.py`; `help.py` asks `keys.py` and no
widget: so no two of them need each other.
"""

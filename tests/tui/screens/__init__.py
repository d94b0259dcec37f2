"""Pictures of every screen of the live view, on recordings; see `catalogue`.

`python -m tests.tui.screens --update` draws them again, to be looked at before they are committed.
"""

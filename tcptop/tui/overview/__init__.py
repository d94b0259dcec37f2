"""`0`, the first screen: whether TCP is well here, at one look.

    parts.py    what each part says: findings, the host's numbers, states, the fullest …
    part.py     a part: its rows, made of those of lists, and how it is drawn
    board.py    where each part is drawn, and what the cursor can stand on
    layout.py   which parts have room in a terminal of this size

Nothing on it ticks: where nothing changes, nothing is written.
"""

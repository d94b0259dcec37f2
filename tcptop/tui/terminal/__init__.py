"""The way to the terminal: a driver and a display in place of Textual's.

Why it is here. Over SSH a monitor is as good as the bytes that it sends, and it has to leave the
terminal as it found it. Textual 8.2's own display sends four to six times the bytes for the same
table, and sends a stalled link every frame that it has missed. Its driver leaves the alternate
screen, the mouse and the raw mode behind on SIGTERM, SIGHUP and SIGQUIT, spins when the terminal is
gone, and resumes with a blank screen.

    environment.py  what the terminal can do, and what Textual has to be told before it is imported
    display.py      TerminalApp: updates of the screen become cells; a crash in plain words
    frame.py        the cells that are wanted and those that were sent, and the bytes between
    sgr.py          how a cell looks, as codes
    driver.py       TerminalDriver: takes the terminal, reads keys, gives it back on any signal
    keyboard.py     bytes -> keys, and text that comes in one piece
    typeahead.py    which of the keys that were read while the app was at work it still gets
    writer.py       the thread that writes; it says whether the link drains
    clipboard.py    OSC 52, and a file beside it

What it relies on. `App._display` (its arguments, ChopsUpdate and LayoutUpdate), the compositor's
`render_update`, `App._background_screens`, `App._fatal_error` and `App._handle_exception`, the
`XTermParser`, and the private parts of LinuxDriver that the class names. All are private to Textual
8.2, hence `textual>=8.2.8,<9`; the contract is tests/tui/test_display.py, which compares every cell
with what Textual's own display leaves in a terminal, and tests/tui/test_driver.py. Updates that are
not known, and errors, are left to Textual's own display; TCPTOP_DISPLAY=stock leaves all of them.

How to remove it. Have TcptopApp derive from `textual.app.App`, keep `environment.py` and
`clipboard.py`, and give the app `write_through`, `mouse`, `crash` and `repaint_all` (`refresh`);
in commands/live.py `app.return_code` takes the place of `finish`. The rest of the folder and its
tests can go then.
"""

"""What this terminal can show, decided from the environment alone.

Textual reads its own settings once, when it is imported, and never looks at terminfo or the
locale. So the decisions are made here, before, and handed over by `prepare`. Imports no Textual.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping
from typing import Literal

GlyphSet = Literal["unicode", "ascii"]
ColourSystem = Literal["standard", "256", "truecolor"]

# Terminals that have no cursor addressing, or of which nothing is known.
_DUMB = {"dumb", "unknown"}
_COERCED = {"C.UTF-8", "C.utf8", "UTF-8"}  # what Python sets LC_CTYPE to


def glyphs(environ: Mapping[str, str]) -> GlyphSet:
    """The characters that may be drawn: `ascii` unless the locale says UTF-8.

    The locale is read as setlocale(3) does: LC_ALL, LC_CTYPE, LANG, the first one not empty.
    Python's own answer will not do, because it turns the C locale into UTF-8 (PEP 538), and sets
    LC_CTYPE in the environment to say so: such an LC_CTYPE counts only if LANG agrees. The fonts
    of the Linux console hold 256 or 512 glyphs, which leaves out blocks and braille.
    """
    if environ.get("TERM") == "linux":
        return "ascii"
    coerced = environ.get("LC_CTYPE") in _COERCED
    names = ("LC_ALL", "LANG") if coerced else ("LC_ALL", "LC_CTYPE", "LANG")
    locale = next((environ[name] for name in names if environ.get(name)), "C")
    codeset = locale.partition("@")[0].partition(".")[2]
    return "unicode" if codeset.lower().replace("-", "") == "utf8" else "ascii"


def no_colour(environ: Mapping[str, str]) -> bool:
    """Whether colours are to be left out: NO_COLOR is set and not empty (no-color.org)."""
    return bool(environ.get("NO_COLOR"))


def colour_system(environ: Mapping[str, str]) -> ColourSystem:
    """How many colours to use: 16 unless COLORTERM or TERM promises more."""
    if environ.get("COLORTERM", "").lower() in {"truecolor", "24bit"}:
        return "truecolor"
    term = environ.get("TERM", "")
    if term.endswith("-direct"):
        return "truecolor"
    return "256" if term.endswith(("-256color", "-256colour", "-kitty")) else "standard"


def no_themes(environ: Mapping[str, str]) -> str:
    """Why to keep to the terminal's own palette and background; empty where others are possible.

    With 8 or 16 colours an RGB theme is rounded to something unreadable, and without colours only
    a theme of attributes (bold, reverse) tells the cursor and the warnings apart.
    """
    if no_colour(environ):
        return "NO_COLOR is set"
    if colour_system(environ) == "standard":
        return f"TERM={environ.get('TERM', '')} has too few colours"
    return ""


def mouse(environ: Mapping[str, str]) -> bool:
    """Whether the mouse is on at first.

    Over SSH it is off: there people select text with the mouse, to paste it elsewhere.
    """
    return not (environ.get("SSH_CONNECTION") or environ.get("SSH_TTY"))


def has_terminal() -> bool:
    """Whether there is a terminal to draw on, given or controlling."""
    if os.isatty(0) and os.isatty(2):
        return True
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def refusal(environ: Mapping[str, str], terminal: bool) -> str | None:
    """Why the live view cannot run, in one line, or None when it can."""
    if not terminal:
        return "no terminal"
    term = environ.get("TERM", "")
    if term in _DUMB:
        return f"TERM={term}: the terminal cannot move its cursor"
    if not term:
        return "TERM is not set"
    return None


def prepare(environ: MutableMapping[str, str]) -> None:
    """Set in `environ` what Textual and Rich read; must come before either is imported.

    What the user has set stays, save for the theme, and the kitty keyboard protocol: Textual asks
    for every key as an escape code, and a process killed with SIGKILL would leave the shell like
    that.
    """
    environ["TEXTUAL_DISABLE_KITTY_KEY"] = "1"
    environ["TEXTUAL_THEME"] = "ansi-dark"  # decides for good what NO_COLOR leaves; see tui/themes
    defaults = {
        "TEXTUAL_COLOR_SYSTEM": colour_system(environ),
        "TEXTUAL_ANIMATIONS": "none",
        "TEXTUAL_SMOOTH_SCROLL": "0",
        "TEXTUAL_FPS": "120",  # the frame timer is also the wait between key and echo
    }
    for name, value in defaults.items():
        environ.setdefault(name, value)
    if not no_colour(environ):
        environ.pop("NO_COLOR", None)  # set but empty: Textual would take it for a yes

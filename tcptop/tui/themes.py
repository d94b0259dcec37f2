"""Themes: the terminal's own sixteen colours, and some that bring their own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace

from textual.theme import BUILTIN_THEMES, Theme

from tcptop.options import THEMES

TERMINAL = THEMES[0]
# Yellow cannot be read on white in the palettes of xterm and others.
_LIGHT = ("7", "15")


def themes(environ: Mapping[str, str] = os.environ) -> list[Theme]:
    """All of them, named as in the configuration."""
    return [_terminal(environ), *_FULL]


def _terminal(environ: Mapping[str, str]) -> Theme:
    """Its colours and background, whatever they are; rxvt, konsole and others tell the latter."""
    background = environ.get("COLORFGBG", "").rpartition(";")[2]
    warning = "ansi_magenta" if background in _LIGHT else "ansi_yellow"
    return replace(BUILTIN_THEMES["ansi-dark"], name=TERMINAL, warning=warning)


def _full(
    name: str,
    text: str,
    background: str,
    panel: str,
    muted: str,
    cursor: str,
    signals: tuple[str, str, str],
    dark: bool = True,
) -> Theme:
    """`cursor` is the background of the row under the cursor, `signals` are good, warn and bad."""
    good, warn, bad = signals
    return Theme(
        name=name,
        primary=cursor,
        foreground=text,
        background=background,
        surface=background,
        panel=panel,
        success=good,
        warning=warn,
        error=bad,
        dark=dark,
        variables={
            "text-muted": muted,
            "block-cursor-background": cursor,
            "block-cursor-foreground": text,
            "scrollbar": muted,
            "scrollbar-background": panel,
        },
    )


# Text on its background has a contrast of 4.5 and more (WCAG 2.2, 1.4.3), also in 256 colours.
_FULL = (
    _full(
        "dark", "#d7d7d7", "#121212", "#262626", "#949494", "#005f87",
        ("#87d787", "#ffd75f", "#ff8787"),
    ),
    _full(
        "light", "#262626", "#ffffff", "#eeeeee", "#626262", "#afd7ff",
        ("#005f00", "#875f00", "#af0000"), dark=False,
    ),
    _full(
        "contrast", "#ffffff", "#000000", "#303030", "#d0d0d0", "#0000d7",
        ("#5fff5f", "#ffff00", "#ffafaf"),
    ),
    _full(
        "solarized", "#d3dbdb", "#002b36", "#0a2a3c", "#93a1a1", "#005f87",
        ("#9db300", "#d5a500", "#ff8a80"),
    ),
)  # fmt: skip

MEANINGS = {
    "terminal": "the terminal's own colours",
    "dark": "light on dark",
    "light": "dark on light",
    "contrast": "white and bright on black",
    "solarized": "on blue",
}

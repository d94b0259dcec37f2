"""Copying: to the terminal's clipboard, which never says whether it took it, and to a file."""

from __future__ import annotations

import os
import tempfile
from base64 import b64encode
from collections.abc import Callable, Mapping
from pathlib import Path
from unicodedata import category

from tcptop.views.output import written_whole

LIMIT = 74_994  # bytes of text: the whole sequence is then 100,000, where terminals stop to listen
_SCREEN_LIMIT = 768 - 4  # of one string of GNU screen (MAXSTR), less what begins and ends it
_DEAF = {("TERM", "linux"), ("TERM_PROGRAM", "Apple_Terminal")}  # they know no OSC 52


def copy(text: str, write: Callable[[str], object], environ: Mapping[str, str] = os.environ) -> str:
    """Copy text; `write` takes what the terminal has to read. Returns what to say about it."""
    text = _harmless(text)
    escape = sequence(text, environ)
    if escape:
        write(escape)
    try:
        path = save(text, environ)
    except OSError as error:
        if escape:
            return "copied, if the terminal has a clipboard (OSC 52)"
        return f"not copied: no clipboard for it, and no file: {error.strerror or error}"
    return f"copied; also in {path}" if escape else f"in {path}; {_why_not(environ)}"


def _harmless(text: str) -> str:
    """What other processes wrote must not type anything where it is pasted."""
    return "".join("?" if category(c) == "Cc" and c not in "\n\t" else c for c in text)


def _why_not(environ: Mapping[str, str]) -> str:
    deaf = any(environ.get(name) == value for name, value in _DEAF)
    return "this terminal has no clipboard" if deaf else "too long for the clipboard"


def sequence(text: str, environ: Mapping[str, str]) -> str:
    """The escape sequence OSC 52; empty where the text is too long or the terminal knows none.

    tmux takes it where set-clipboard is on, and hands a wrapped one on where allow-passthrough is
    on; without either it is lost, so that both are sent. screen hands wrapped ones on.
    """
    data = text.encode("utf-8", "replace")
    if len(data) > LIMIT or any(environ.get(name) == value for name, value in _DEAF):
        return ""
    plain = f"\x1b]52;c;{b64encode(data).decode()}\a"
    if environ.get("TMUX") or environ.get("TERM", "").startswith("tmux"):
        return plain + "\x1bPtmux;" + plain.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    if environ.get("STY"):
        starts = range(0, len(plain), _SCREEN_LIMIT)
        return "".join(f"\x1bP{plain[at : at + _SCREEN_LIMIT]}\x1b\\" for at in starts)
    return plain


def save(text: str, environ: Mapping[str, str]) -> Path:
    """Write the file that only its user may read, in the place of the one before. OSError."""
    path = _path(environ)
    with written_whole(path) as out:
        out.write(text)
    return path


def _path(environ: Mapping[str, str]) -> Path:
    """In the user's own directory, which sudo may have left as another's."""
    own = Path(environ.get("XDG_RUNTIME_DIR", ""))
    try:
        if own.is_absolute() and own.stat().st_uid == os.geteuid():
            return own / "tcptop.clip"
    except OSError:
        pass
    return Path(tempfile.gettempdir()) / f"tcptop-{os.geteuid()}.clip"

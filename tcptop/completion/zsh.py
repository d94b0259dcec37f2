"""The script of zsh."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tcptop.completion.arguments import FILE, LIVE, NETNS, Argument, Commands

HEAD = """\
#compdef tcptop
# zsh completion of tcptop, as `tcptop completion zsh` writes it

_tcptop_netns() {
    local -a names
    names=(current all ${(f)"$(command ls /run/netns 2>/dev/null)"})
    compadd -- $names
}

_tcptop() {
    local command=live
    if (( CURRENT > 2 )) && [[ -n ${(M)${(s: :)"$(_tcptop_commands)"}:#$words[2]} ]]; then
        command=$words[2]
        shift words
        (( CURRENT-- ))
    fi
    case $command in
"""

TAIL = """\
    esac
}

_tcptop_commands() { echo '%s' }

if [[ $funcstack[1] == _tcptop ]]; then
    _tcptop "$@"
else
    compdef _tcptop tcptop
fi
"""


def script(commands: Commands) -> str:
    named = " ".join(name for name in commands if name != LIVE)
    return HEAD + "".join(_command(*each) for each in commands.items()) + TAIL % named


def _command(name: str, arguments: Sequence[Argument]) -> str:
    specs = [spec for each in arguments for spec in _specs(each)]
    lines = [f"{name})", "    _arguments -s \\"]
    lines += [f"        {quoted(spec)} \\" for spec in specs]
    lines += ["    ;;"]
    lines[-2] = lines[-2].removesuffix(" \\")
    return "".join(f"        {line}\n" for line in lines)


def _specs(argument: Argument) -> Iterator[str]:
    if not argument.names:
        often = "*" if argument.often else ""
        yield f"{often}:{_escaped(argument.help) or 'word'}:{_value(argument)}"
    others = "" if argument.often else f"({' '.join(argument.names)})"
    for name in argument.names:
        often = "*" if argument.often else others
        equals = "=" if name.startswith("--") and not argument.flag else ""
        value = "" if argument.flag else f":value:{_value(argument)}"
        yield f"{often}{name}{equals}[{_escaped(argument.help)}]{value}"


def _value(argument: Argument) -> str:
    if argument.found == FILE:
        return "_files"
    if argument.found == NETNS:
        return "_tcptop_netns"
    return f"({' '.join(map(_escaped, argument.words))})" if argument.words else " "


def _escaped(text: str) -> str:
    for character in "\\[]:":
        text = text.replace(character, f"\\{character}")
    return text


def quoted(text: str) -> str:
    escaped = text.replace("'", "'\\''")
    return f"'{escaped}'"

"""The script of fish."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tcptop.completion.arguments import FILE, LIVE, NETNS, Argument, Commands

HEAD = """\
# fish completion of tcptop, as `tcptop completion fish` writes it

function __tcptop_command
    set -l typed (commandline -opc)
    if contains -- "$typed[2]" %s
        echo $typed[2]
    else
        echo live
    end
end

complete -c tcptop -f
"""

NAMESPACES = "(echo current; echo all; command ls /run/netns 2>/dev/null)"


def script(commands: Commands) -> str:
    named = " ".join(name for name in commands if name != LIVE)
    lines = (line for name, each in commands.items() for line in _command(name, each))
    return HEAD % named + "".join(f"{line}\n" for line in lines)


def _command(name: str, arguments: Sequence[Argument]) -> Iterator[str]:
    for each in arguments:
        words = ["complete -c tcptop", f"-n 'test (__tcptop_command) = {name}'"]
        words += [_option(name) for name in each.names]
        words += _value(each)
        if each.names:
            words.append(f"-d {quoted(each.help)}")
        yield " ".join(words)


def _option(name: str) -> str:
    return f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}"


def _value(argument: Argument) -> list[str]:
    if argument.flag:
        return []
    if argument.found == FILE:
        return ["-r -F" if argument.names else "-F"]
    words = NAMESPACES if argument.found == NETNS else " ".join(argument.words)
    required = ["-x"] if argument.names else []
    return required + ([f"-a {quoted(words)}"] if words else [])


def quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"

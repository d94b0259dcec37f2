"""The script of bash."""

from __future__ import annotations

from collections.abc import Sequence

from tcptop.completion.arguments import FILE, LIVE, NETNS, Argument, Commands

HEAD = """\
# bash completion of tcptop, as `tcptop completion bash` writes it

_tcptop() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
    local command=live options words found IFS=$' \\t\\n'
    COMPREPLY=()
    # = is a word of its own (COMP_WORDBREAKS)
    if [[ $cur == = ]]; then
        cur=
    elif [[ $prev == = ]]; then
        prev=${COMP_WORDS[COMP_CWORD-2]}
    fi
    if (( COMP_CWORD > 1 )); then
        case ${COMP_WORDS[1]} in
            %s) command=${COMP_WORDS[1]} ;;
        esac
    fi
    case $command in
"""

TAIL = """\
    esac
    case $found in
        file)
            compopt -o filenames
            mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur"; compgen -f -- "$cur")
            return ;;
        netns)
            words="current all $(ls /run/netns 2>/dev/null)" ;;
        text)
            return ;;
    esac
    if [[ $words == *.*= ]]; then
        compopt -o nospace
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}

complete -F _tcptop tcptop
"""


def script(commands: Commands) -> str:
    named = "|".join(name for name in commands if name != LIVE)
    return HEAD % named + "".join(_command(*each) for each in commands.items()) + TAIL


def _command(name: str, arguments: Sequence[Argument]) -> str:
    options = " ".join(each for argument in arguments for each in argument.names)
    lines = [f"{name})", f"    options='{options}'", "    case $prev in"]
    valued = [each for each in arguments if each.names and not each.flag]
    lines += [f"        {'|'.join(each.names)}) {_found(each)} ;;" for each in valued]
    rest = "; ".join(dict.fromkeys(_found(each) for each in arguments if not each.names)) or ":"
    lines += [f"        *) if [[ $cur == -* ]]; then words=$options; else {rest}; fi ;;"]
    lines += ["    esac ;;"]
    return "".join(f"        {line}\n" for line in lines)


def _found(argument: Argument) -> str:
    if argument.free:
        return "found=text"
    if argument.found in (FILE, NETNS):
        return f"found={argument.found}"
    return f"words='{' '.join(argument.words)}'"

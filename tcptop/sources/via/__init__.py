"""Another host, container or namespace, through a command that gives a POSIX shell (`--via`).

    source.py ─▶ session.py ─▶ link.py ─▶ COMMAND sh -s ─▶ program.sh, which answers there
                    ├─▶ dump.py, answers.py   bytes of an answer -> sockets, counters, who we are
                    ├─▶ holders.py ─▶ facts.py   who holds which socket, when one is unknown
                    └─▶ told_cgroups.py   which group a socket was made in

What comes back is a stranger's: its size and time are bounded, its numbers checked.
"""

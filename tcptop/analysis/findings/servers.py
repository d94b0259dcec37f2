"""Listeners in the sentences of findings: who serves where, with which backlog."""

from __future__ import annotations

from collections.abc import Sequence

from tcptop.analysis.findings import words
from tcptop.analysis.findings.observations import Observations
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sample import Process, Sample
from tcptop.model.sysctls import SOMAXCONN

NAMED = 3  # processes or programs that a sentence names
# How a program's backlog is set, by how its name begins; `tcptop explain backlog` has more.
OPTIONS = {
    "nginx": "backlog= of its listen directive",
    "apache2": "ListenBacklog",
    "httpd": "ListenBacklog",
    "haproxy": "backlog",
    "redis-server": "tcp-backlog",
    "valkey-server": "tcp-backlog",
    "php-fpm": "listen.backlog",
    "gunicorn": "--backlog",
    "postgres": "max_connections (the backlog is twice that)",
}
# Whose clients are the ones to end a connection, as their protocols have it; by port, for a host
# where the program is not seen. Servers of HTTP, SMTP or FTP close first when all is well.
CLIENTS_CLOSE = ("postgres", "pgbouncer", "mysqld", "mariadbd", "redis-server", "valkey", "mongod")
CLIENTS_CLOSE_AT = {
    5432: "max_connections of PostgreSQL",
    6432: "max_client_conn of pgbouncer",
    3306: "max_connections of MySQL",
    6379: "maxclients of Redis",
    27017: "net.maxIncomingConnections of MongoDB",
}


class AtOnce(NamedTuple):
    """Of a connection that a server ends with an error at once: segments of data, at most."""

    said: int  # by the server
    asked: int  # by the client
    resets: bool = False  # it closes without having read what the client said
    error: int = 0  # bytes from which it is an error, and no request for a password; 0: not known
    asks_for_tls: bool = False  # whether its clients ask for TLS in the clear, before anything else
    login: int = 0  # bytes, from which who asks logs in; a proxy's check sends but a user's name


# A session that goes well has more; libpq asks for GSS encryption and TLS before it logs in. Of
# Redis QUIT is answered and closed, too. After the other's first line sshd says more.
AT_ONCE = {
    "postgres": AtOnce(3, 3, error=50, asks_for_tls=True),
    "pgbouncer": AtOnce(3, 3, error=50, asks_for_tls=True),
    "mysqld": AtOnce(2, 1, login=64),
    "mariadbd": AtOnce(2, 1, login=64),
    "redis-server": AtOnce(1, 0),
    "valkey-server": AtOnce(1, 0),
    "sshd": AtOnce(1, 1, resets=True),
    "vsftpd": AtOnce(1, 0),
}
AT_ONCE_AT = {
    5432: AT_ONCE["postgres"],
    6432: AT_ONCE["pgbouncer"],
    3306: AT_ONCE["mysqld"],
    6379: AT_ONCE["redis-server"],
    22: AT_ONCE["sshd"],
}
# What stops a program from accepting, by how its name begins, and how to see it.
LIMITS = {
    "haproxy": "its maxconn (global and of the frontend; show info and show stat tell)",
    "memcached": "its -c (stats: curr_connections, max_connections)",
    "nginx": "worker_connections (per worker; its error log tells)",
    "pgbouncer": "max_client_conn",
    "envoy": "its limits of connections (listener.*.downstream_cx_overflow)",
    "varnishd": "its thread pools (thread_pool_max)",
    "cache-main": "its thread pools (thread_pool_max)",
}
# How long clients may say nothing, by how a program's name begins.
IDLE = {
    "apache2": "lower KeepAliveTimeout and RequestReadTimeout, raise MaxRequestWorkers, or use the "
    "event MPM",
    "httpd": "lower KeepAliveTimeout and RequestReadTimeout, raise MaxRequestWorkers, or use the "
    "event MPM",
}
# How long a whole request may take to come, by how a program's name begins.
WHOLE = {
    "apache2": "mod_reqtimeout: RequestReadTimeout header=20-40,MinRate=500",
    "httpd": "mod_reqtimeout: RequestReadTimeout header=20-40,MinRate=500",
    "haproxy": "timeout http-request",
}
# What may keep a program with workers from accepting; by how its name begins.
_APACHE = (
    "See in its status page (mod_status) what its workers do: with all MaxRequestWorkers busy it "
    "accepts nobody. Shorten how long one may be held: KeepAliveTimeout, RequestReadTimeout, "
    "ProxyTimeout, and slow scripts. Raise MaxRequestWorkers as far as memory allows."
)
_PHP = (
    "Find what its workers wait for (request_slowlog_timeout, its status page), limit how long a "
    "request may take (request_terminate_timeout), then have enough workers (pm.max_children): "
    "each serves one request at a time. A larger listen.backlog only helps against bursts."
)
WORKERS = {"apache2": _APACHE, "httpd": _APACHE, "php-fpm": _PHP}
# What shows the stacks of a program, by a word of its name or command line.
STACKS = {
    "python": "py-spy dump --pid {pid}",
    "gunicorn": "py-spy dump --pid {pid}",
    "uwsgi": "its py-tracebacker, or py-spy dump --pid {pid}",
    "java": "jstack {pid}",
    "ruby": "rbspy dump --pid {pid}",
    "puma": "rbspy dump --pid {pid}",
    "dotnet": "dotnet-stack report -p {pid}",
    "node": "node inspect -p {pid}",
}
ANY_STACK = "cat /proc/{pid}/task/*/stack"
OF_GO = (
    ", or of a Go program /debug/pprof/goroutine?debug=2 (kill -QUIT {pid} prints it and ends it)"
)
# In the titles of those that keep others, and do not serve themselves: their workers hang.
KEEPERS = (": master", "master process", "God Daemon")
# How many connections a program takes, where it accepts further ones and closes them at once; by
# how its name begins.
MOST_CONNECTIONS = {
    "nginx": "worker_connections (per worker; its error log says when they are not enough)",
    "redis-server": "maxclients (INFO stats: rejected_connections)",
    "valkey-server": "maxclients (INFO stats: rejected_connections)",
    "postgres": "max_connections (its log: too many clients already)",
    "pgbouncer": "max_client_conn (its log: no more connections allowed)",
    "mysqld": "max_connections (Connection_errors_max_connections)",
    "mariadbd": "max_connections (Connection_errors_max_connections)",
    "mongod": "net.maxIncomingConnections",
    "sshd": "MaxStartups (its log: drop connection)",
    "memcached": "-c (stats: rejected_connections)",
    "vsftpd": "max_clients and max_per_ip",
    "node": "maxConnections of its server (which tells of each by the event 'drop')",
    "xinetd": "instances, per_source and cps",
}
# How a program sets its own limit of descriptors, or how many it needs; by how its name begins.
FILES = {
    "nginx": "worker_rlimit_nofile, above worker_connections",
    "haproxy": "its maxconn, of which each takes two, and ulimit-n (left out, it is computed)",
    "redis-server": "maxclients, for which it asks for as many and 32 more at its start",
    "valkey-server": "maxclients, for which it asks for as many and 32 more at its start",
    "mysqld": "open_files_limit",
    "mariadbd": "open_files_limit",
    "postgres": "max_files_per_process",
    "envoy": "its limits of connections",
}
# Whose own setting is the limit: a higher one from outside does not help.
OWN_FILES = {"memcached": "-c (connections), from which it sets its limit when it starts"}
# What may hold up all clients of programs that serve them from one thread, and what to do.
_REDIS = (
    "{who} runs one command at a time, so a long one blocks all clients: look for KEYS, a SORT or "
    "DEL of a large key, a script, DEBUG SLEEP, or a write that waits for the disk. Use SCAN, "
    "UNLINK and shorter scripts in the clients; SLOWLOG GET names the command once it has ended, "
    "SCRIPT KILL ends a script that has not written."
)
_NODE = (
    "{who} runs JavaScript in one thread, so a long piece blocks all clients: a synchronous call, "
    "a long loop, JSON or a regular expression on very large input. Find which (perf top -p {pid}, "
    "node --cpu-prof) and move it to a worker thread or another process."
)
ONE_THREAD = {
    **dict.fromkeys(("redis-server", "valkey-server"), _REDIS),
    **dict.fromkeys(("node", "nodejs", "node-MainThread"), _NODE),
}


def one_thread(processes: Sequence[Process]) -> str:
    """Advice for a program that does one thing at a time; empty for others."""
    if not processes:
        return ""
    first = processes[0]
    return ONE_THREAD.get(first.name, "").format(who=words.called(first), pid=first.pid)


def with_workers(processes: Sequence[Process]) -> str:
    """Advice for a program whose workers serve one connection each; empty for others."""
    names = [process.name for process in processes]
    return next((said for begins, said in WORKERS.items() if _begins(names, begins)), "")


def own_limit(processes: Sequence[Process]) -> str:
    """The setting at which it stops accepting."""
    names = [process.name for process in processes]
    known = (said for begins, said in LIMITS.items() if _begins(names, begins))
    return next(known, "its limit of connections and its log")


def idle_limit(processes: Sequence[Process]) -> str:
    """How its idle clients are ended sooner."""
    names = [process.name for process in processes]
    known = (said for begins, said in IDLE.items() if _begins(names, begins))
    return next(known, "give its reads and its idle connections a timeout")


def request_limit(processes: Sequence[Process]) -> str:
    """How it gives up a request that does not come to its end."""
    names = [process.name for process in processes]
    known = (said for begins, said in WHOLE.items() if _begins(names, begins))
    return next(known, "its timeout of request headers and bodies")


def stacks(processes: Sequence[Process]) -> str:
    """What shows where it hangs: py-spy dump --pid 812; of a worker, where there are some."""
    first = next((each for each in processes if not _keeps(each)), processes[0])
    program = f"{first.name} {first.cmdline.partition(' ')[0].rpartition('/')[2]}"
    known = (said for word, said in STACKS.items() if word in program)
    unknown = ANY_STACK + ("" if first.name in OPTIONS else OF_GO)
    return next(known, unknown).format(pid=first.pid)


def _keeps(process: Process) -> bool:
    return any(word in process.cmdline for word in KEEPERS)


def hangs(processes: Sequence[Process]) -> str:
    """Advice for a program that does not accept, and nothing tells why."""
    if not processes:
        return "Find which process holds this listener, and where it hangs."
    return with_workers(processes) or (
        f"Find where {words.called(processes[0])} hangs ({stacks(processes)}): a lock, a call to a "
        "back end without a timeout, a limit of connections or descriptors. Give such calls "
        "deadlines. More backlog would only hide it."
    )


def turns_away(processes: Sequence[Process]) -> str:
    """Advice for a program that closes what it has accepted at once; empty for those of which it
    is not known that they do, and why."""
    names = [process.name for process in processes]
    limits = (limit for begins, limit in MOST_CONNECTIONS.items() if _begins(names, begins))
    for limit in limits:
        return (
            f"At its connection limit {words.called(processes[0])} accepts further connections "
            f"and closes them at once: check {limit}, and what holds the connections (slow back "
            "ends, idle clients). Raise the limit only after that."
        )
    return ""


def error_at_once(processes: Sequence[Process]) -> AtOnce | None:
    """Of a program that ends what it accepts with an error when it is full."""
    names = [process.name for process in processes]
    return next((limit for begins, limit in AT_ONCE.items() if _begins(names, begins)), None)


def files(process: Process) -> str:
    """How it sets its own limit of descriptors; empty where that is not known."""
    return next((said for begins, said in FILES.items() if process.name.startswith(begins)), "")


def own_files(process: Process) -> str:
    """The setting that its limit of descriptors follows, whatever it is given; mostly none."""
    known = (said for begins, said in OWN_FILES.items() if process.name.startswith(begins))
    return next(known, "")


def clients_close(processes: Sequence[Process]) -> bool:
    """Whether it is for the clients of a program to end their connections."""
    return bool(processes) and processes[0].name.startswith(CLIENTS_CLOSE)


def _begins(names: Sequence[str], start: str) -> bool:
    return any(name.startswith(start) for name in names)


def where(sample: Sample, row: int) -> str:
    """:8080, or 10.0.0.1:8080 for a listener on one address, [::]%eth0:8080 for one on a device."""
    anywhere = words.is_any(sample.sockets, row) and not words.zone(sample, row)
    return words.port(sample.sockets, row) if anywhere else words.local(sample, row)


def title(seen: Observations, row: int, processes: Sequence[Process]) -> str:
    """nginx on :8080"""
    who = words.called(processes[0]) if processes else "the server"
    return f"{who} on {where(seen.sample, row)}"


def named(processes: Sequence[Process]) -> str:
    """nginx (pid 812, nginx.service), nginx (pid 813, nginx.service) and 6 more"""
    if not processes:
        return "an unknown process"
    said = ", ".join(words.who(each) for each in processes[:NAMED])
    more = len(processes) - NAMED
    return f"{said} and {more} more" if more > 0 else said


def programs(processes: Sequence[Process]) -> str:
    """nginx (pid 812, nginx.service) and 7 more processes of that name, php-fpm (pid 900)"""
    if not processes:
        return "an unknown process"
    groups: dict[str, list[Process]] = {}
    for each in processes:
        groups.setdefault(words.called(each), []).append(each)
    some = list(groups.values())
    said = ", ".join(map(_of_one_name, some[:NAMED]))
    more = sum(map(len, some[NAMED:]))
    return f"{said} and {more} more" if more > 0 else said


def _of_one_name(processes: Sequence[Process]) -> str:
    more = len(processes) - 1
    others = words.count(more, "more process", "more processes")
    return words.who(processes[0]) + (f" and {others} of that name" if more else "")


def should_accept(processes: Sequence[Process]) -> str:
    if not processes:
        return "The process that should accept them is unknown."
    return f"{named(processes)} should accept them."


def backlog(seen: Observations, row: int) -> str:
    """Where the present backlog comes from."""
    given = int(seen.table.send_q[row])
    limit = seen.sysctl(int(seen.table.netns[row]), SOMAXCONN)
    if seen.sample.backlog_clamped(row):
        return (
            f"Its backlog is {given}, capped by {SOMAXCONN} = {given} (unless listen() asked for "
            "exactly that)."
        )
    allowed = "" if limit is None else f" ({SOMAXCONN} would allow {limit})"
    return f"Its backlog is {given}, as given to listen(){allowed}."


def larger_backlog(seen: Observations, row: int) -> str:
    """How to get a longer queue, once accepting is fast enough."""
    given = int(seen.table.send_q[row])
    more = max(4 * given, 511)
    limit = seen.sysctl(int(seen.table.netns[row]), SOMAXCONN)
    first = f"sysctl -w {SOMAXCONN}={more} (now {limit}), " if limit and limit < more else ""
    option = _option(seen.processes(row))
    return f"{first}listen() with a backlog of {more} (now {given}{option}), and a restart"


def _option(processes: Sequence[Process]) -> str:
    names = [process.name for process in processes]
    found = (said for begins, said in OPTIONS.items() if _begins(names, begins))
    return "".join(f", set by {said}" for said in list(found)[:1])

"""requests-queued: requests are read and wait inside: in a proxy or a pooler that has no connection
to pass them on, in PostgreSQL for a lock, in any server for a disk."""

from __future__ import annotations

from collections.abc import Iterator

from tcptop.analysis.findings import disk_waits, doing, queued, words
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.queued import LockedSessions, QueuedRequests
from tcptop.analysis.findings.rule import Limits, Need, Rule, Threshold
from tcptop.model.cells import safe
from tcptop.model.finding import Finding

ID = "requests-queued"
NAMED = 2  # back ends
IN_TRANSACTION = "idle in transaction"
POOLS = {
    "pgbouncer": (
        "See SHOW POOLS (cl_waiting, maxwait) and what holds its server connections: slow queries, "
        "transactions left open. Then raise default_pool_size as far as the database allows; and "
        "set query_wait_timeout, so that clients fail soon."
    ),
    "odyssey": (
        "See SHOW POOLS and what holds its server connections: slow queries, transactions left "
        "open. Then raise pool_size as far as the database allows; set pool_timeout, so that "
        "clients fail soon."
    ),
}
HELD = (
    "Find the sessions that hold them: pg_stat_activity, those idle in transaction first. Let "
    "their application commit or close, and set idle_in_transaction_session_timeout; pooling by "
    "transaction instead of by session gives each connection back after a transaction. If no "
    "session holds them, see the log of {who}: it may be paused, or fail to open more."
)
HAPROXY = (
    "See qcur and scur of its servers (show stat): they are at their maxconn. Make the back end "
    "faster, or raise maxconn of its server lines as far as the back end allows; with a shorter "
    "timeout queue clients fail sooner."
)
OTHERWISE = (
    "Find what {there} does with its requests: slow queries, locks, a limit of its own. Then "
    "enlarge the pool of {who} as far as the back end allows, and limit how long a request may "
    "wait there."
)
ALONE = {
    "squid": "a resolver that does not answer (cache.log, squidclient mgr:idns: DNS is UDP, which "
    "is not seen here), a helper for authentication or ACLs",
    "haproxy": "servers that are all down or full (show stat)",
    "pgbouncer": "a database that is paused (SHOW DATABASES), logins to it that fail (its log)",
}
PATIENCE = {
    "haproxy": "timeout http-request, or timeout client for TLS",
    "squid": "request_start_timeout",
    "pgbouncer": "client_login_timeout",
}
LOCKED = (
    "See pg_stat_activity (wait_event_type, wait_event) and pg_blocking_pids(pid): whoever is at "
    "the head of that queue, often idle in transaction, has to commit or be ended "
    "(pg_terminate_backend). SyncRep is a synchronous standby that does not confirm: bring it "
    "back, or take it out of synchronous_standby_names. Set lock_timeout, so that sessions do not "
    "pile up."
)


def find(seen: Observations, limits: Limits) -> Iterator[Finding]:
    for queue in queued.queues(seen, limits):
        yield _finding(seen, limits, queue)
    for sessions in queued.locked(seen, limits):
        yield _locked(seen, sessions)
    yield from disk_waits.disk_waits(seen, ID)


def _finding(seen: Observations, limits: Limits, queue: QueuedRequests) -> Finding:
    clients, longest = queue.clients, float(queue.waited_s.max())
    number, oldest = len(clients.rows), words.duration(longest)
    # Of others an idle HTTP/2 connection, whose last word was the client's, looks the same, and so
    # does a request of which a part has not arrived.
    waits = "wait for an answer" if queue.pooler else "sent something and have no answer yet"
    why = f": {_why(seen, queue)}" if queue.backs else ""
    dst = " or ".join(f"dst {words.in_filter(each.destination or '')}" for each in queue.backs)
    return Finding(
        ID,
        clients.key(ID),
        "warning" if queue.sure else "info",
        f"{words.count(number, 'client')} of {clients.who} on {clients.listener} {waits}, the "
        f"oldest for {oldest}{why}",
        clients.subject(seen),
        {"connections": number, "longest_s": longest, "in_use": queue.in_use},
        tuple(_evidence(seen, limits, queue, oldest)),
        doing.remedy(seen, clients.processes) or _advice(seen, queue),
        f"ss -tinp state established '( sport = {clients.listener}{dst and f' or {dst}'} )'",
        since=seen.sample.taken_at - longest,
    )


def _why(seen: Observations, queue: QueuedRequests) -> str:
    connections = f"its {words.count(queue.connections, 'connection')} to {_places(queue)}"
    if queue.held and queued.other_ends(seen, queue.backs)[IN_TRANSACTION] == queue.connections:
        return f"the sessions of {connections} are idle in transaction"
    if queue.held:
        on = words.number(queue.in_use) if queue.in_use else "none"
        return f"{on} of {connections} {'has' if queue.in_use < 2 else 'have'} a request under way"
    under_way = words.count(queue.in_use, "request is", "requests are")
    return f"{under_way} under way to {_places(queue)}"


def _places(queue: QueuedRequests) -> str:
    names = sorted(each.destination or "" for each in queue.backs)
    if len(names) > NAMED:
        return f"{len(names)} back ends"
    return words.joined(names)


def _evidence(
    seen: Observations, limits: Limits, queue: QueuedRequests, oldest: str
) -> Iterator[str]:
    clients, waited = queue.clients, words.duration(limits["waited_s"])
    yield (
        f"{clients.in_full} has read the data of {words.count(len(clients.rows), 'connection')} "
        f"{clients.where} and has sent nothing back since: "
        + (f"on {words.number(queue.old)} for {waited} or longer, " if queue.old else "")
        + f"on the oldest for {oldest}."
    )
    if queue.backs:
        yield (
            f"It has {words.count(queue.connections, 'connection')} to {_places(queue)}, and on "
            f"{words.number(queue.in_use)} a request is under way."
        )
    else:
        yield "It has opened no TCP connection that is open now, and none waits to be opened."
    if not queue.pooler and queued.never_answered(seen, clients.rows).all():
        yield _perhaps_a_part(seen, queue)
    for title, number in queued.other_ends(seen, queue.backs).most_common():
        titled = "is 1 session" if number == 1 else f"are {words.number(number)} sessions"
        whose = "whose title says" if number == 1 else "whose titles say"
        yield f'At the other ends {titled} of postgres on this host {whose} "{title}".'
    yield from doing.evidence(seen, clients.processes)


def _perhaps_a_part(seen: Observations, queue: QueuedRequests) -> str:
    came = seen.table.info_of("bytes_received", queue.clients.rows)
    low, high = (words.size(float(each)) for each in (came.min(), came.max()))
    some = f"{low} have" if low == high else f"between {low} and {high} have"
    return (
        f"On each {some} arrived, and nothing has ever been sent: it may have no whole request yet "
        "(or ClientHello of TLS), and wait for the rest."
    )


def _advice(seen: Observations, queue: QueuedRequests) -> str:
    name, who = queue.process.name, queue.clients.who
    if not queue.backs:
        part = (
            f"See in the log of {who}, or a capture, whether it has got whole requests. If not, "
            "its clients or the path keep the rest back (a middlebox that drops the second "
            f"segment, slow clients): {PATIENCE.get(name, 'a timeout for requests')} ends them. If "
            f"it has, find "
            if queued.never_answered(seen, queue.clients.rows).all()
            else "Find "
        )
        return (
            f"{part}what {who} waits for before it connects: {ALONE.get(name, 'see its log')}. "
            "Give its clients, and it, a deadline that is shorter, so that they fail soon."
        )
    if queue.held:
        return HELD.format(who=who)
    known = {**POOLS, "haproxy": HAPROXY}.get(name)
    return known or OTHERWISE.format(there=_places(queue), who=who)


def _locked(seen: Observations, sessions: LockedSessions) -> Finding:
    clients, longest = sessions.clients, float(sessions.waited_s.max())
    number, oldest = len(clients.rows), words.duration(longest)
    titles = [each.cmdline for each in clients.processes if queued.WAITS in each.cmdline]
    return Finding(
        ID,
        words.key(ID, clients.netns, clients.listener, "locked"),
        "warning",
        f"{words.count(number, 'client')} of {clients.who} on {clients.listener} wait for an "
        f"answer, the oldest for {oldest}: their sessions wait for {_for_what(titles)}",
        clients.subject(seen),
        {"connections": number, "longest_s": longest},
        (
            f"{words.count(number, 'session')} {clients.where} have read a request and sent "
            f"nothing back since, the oldest for {oldest}, and their titles say that they wait: "
            f"{safe(titles[0].strip())}.",
        ),
        LOCKED,
        f"ps -C postgres -o pid,args; ss -tinp state established 'sport = {clients.listener}'",
        since=seen.sample.taken_at - longest,
    )


def _for_what(titles: list[str]) -> str:
    """`INSERT waiting` is for a lock, `INSERT waiting for 0/1516790` for a standby to have that."""
    standby = [queued.STANDBY in each for each in titles]
    if all(standby):
        return "a synchronous standby"
    return "a lock or a synchronous standby" if any(standby) else "a lock"


RULE = Rule(
    ID,
    0,
    (
        Threshold("connections", 10, "clients of one process that wait"),
        Threshold("waited_s", 10, "seconds that half as many of them have waited"),
    ),
    find,
    frozenset({Need.TCP_INFO, Need.OWNERS}),
)

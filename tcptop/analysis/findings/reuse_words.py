"""What is said of kept connections that are reset as they are used again."""

from __future__ import annotations

import numpy as np

from tcptop.analysis.findings import words
from tcptop.analysis.findings.outcomes import Outcomes


def idle(found: Outcomes) -> str:
    return words.exactly(round(float(np.median(found.pause_s)), 1))


def evidence(found: Outcomes) -> str:
    low, high = (words.exactly(float(found.pause_s[at])) for at in (0, -1))
    pause = low if low == high else f"between {low} and {high}"
    last = words.exactly(max(float(found.reset_s[-1]), 0.1))
    return (
        f"Nothing had come on those used again for {pause} when the last thing was sent on them: a "
        "timeout. Of most the other kernel had acknowledged that, so that it arrived, and then it "
        f"reset them, within {last}: its program closed them with that unread."
    )


def advice(found: Outcomes, to: str) -> str:
    about = words.exactly(float(np.floor(found.pause_s[0] * 10) / 10))
    return (
        f"{to} closes connections that are idle for about {about} (keep-alive timeout: "
        "keepAliveTimeout of node, keepalive_timeout of nginx, --keep-alive of gunicorn), at times "
        "just as the next request comes, which is lost. Set the idle limit of the caller's pool "
        "below it (IdleConnTimeout of Go, agentkeepalive of node), or the server's above the "
        "caller's, and repeat on a new connection what may run twice; a POST is not repeated by "
        "most libraries."
    )


def forgotten(found: Outcomes) -> str:
    """Of those that were reset after a pause, as the connection was no more."""
    shortest = words.exactly(float(np.floor(found.paused[0] * 10) / 10))
    if found.sent_after_fin:
        return (
            f"The server closes idle connections, after about {shortest} or less, and the "
            "program sends its next request on what is closed. Set the idle limit of its pool "
            "below the server's (keep-alive timeout), let it leave out connections that "
            "the server has closed, and try again on a new one what fails so."
        )
    return (
        "Something forgets idle connections sooner than the caller reuses them: a firewall, a "
        "load balancer, NAT, or the server's own idle timeout. Let the caller's pool close "
        f"connections well before they have been idle for {shortest}, or send keepalives more "
        "often than that."
    )

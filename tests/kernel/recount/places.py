"""Places as findings name them, and the rows of a table that are there."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import numpy as np

from tcptop.model import address
from tcptop.model.table import Bools, SocketTable

_ANY = ("", "*", "0.0.0.0", "::")


def parsed(text: str) -> tuple[str, int]:
    """Address or network ("" for any) and port (0 for any) of [::1]:80, :80, ::1, port 80 …"""
    text = text.replace("port ", ":")
    bare = text.count(":") > 1 and "]" not in text
    if bare or ":" not in text or text.endswith("]"):
        host, port = text, ""
    else:
        host, _, port = text.rpartition(":")
    host = host.strip("[]")
    return "" if host in _ANY else host, int(port or 0)


def at(table: SocketTable, text: str, end: str) -> Bools:
    """Rows whose `local` or `remote` end is at a place; none at the path of a UNIX socket."""
    if text.startswith(("/", "@")):
        return np.zeros(len(table), np.bool_)
    host, port = parsed(text)
    rows: Bools = getattr(table, f"{end}_port") == port if port else np.ones(len(table), np.bool_)
    if host:
        rows = rows & np.array([_inside(each, host) for each in _addresses(table, end)], np.bool_)
    return rows


def _addresses(table: SocketTable, end: str) -> list[str]:
    halves = (getattr(table, f"{end}_{half}").tolist() for half in ("hi", "lo"))
    return [address.text(hi, lo) for hi, lo in zip(*halves, strict=True)]


def _inside(text: str, host: str) -> bool:
    if "/" not in host:
        return text == host
    return ip_address(text.partition("%")[0]) in ip_network(host, strict=False)

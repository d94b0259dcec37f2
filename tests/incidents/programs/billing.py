"""A client made anew for each request: billing.py ADDRESS PORT MOST PER_S [ASK_EVERY_S]

Its connections stay open, idle. At MOST it stops, as a pool does; then, if told so, the pool asks
on one of them every so many seconds.
"""

import http.client
import itertools
import sys
import time

host, port, most, per_s = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
kept = []


def ask(client: http.client.HTTPConnection) -> None:
    client.request("GET", "/")
    client.getresponse().read()


for _ in range(most):
    kept.append(http.client.HTTPConnection(host, port))
    ask(kept[-1])
    time.sleep(1 / per_s)
for client in itertools.cycle(kept):
    time.sleep(float(sys.argv[5]) if len(sys.argv) > 5 else 600)
    ask(client)

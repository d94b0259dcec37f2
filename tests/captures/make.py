"""Makes the captures beside it: what this kernel's sock_diag sends for a handful of sockets.

    python -m tests.captures.make

Each file holds the datagrams of one dump one after another, NLMSG_DONE included. They are of the
byte order and kernel of the machine that made them: x86-64, Linux 6.18.
"""

from pathlib import Path
from socket import AF_NETLINK, SOCK_RAW, socket

from tcptop.demo import sockets
from tcptop.demo.namespace import DemoNamespace
from tcptop.sources.sock_diag import EXT, EXT_CONG, NETLINK_SOCK_DIAG, ROOM, Request, encode
from tcptop.sources.wire import scan
from tests.kernel import queues, states

SEQ = 7
REQUESTS = {"usual": Request(ext=EXT | EXT_CONG), "everything": Request(ext=0xFF)}


def receive(request: Request) -> bytes:
    """The datagrams of one legacy dump of the calling thread's namespace."""
    with socket(AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG) as netlink:
        netlink.send(encode(request, 0, SEQ))
        data = b""
        while True:
            datagram = netlink.recv(ROOM)
            data += datagram
            words = memoryview(bytearray(datagram)).cast("I")
            if scan(words, 0, len(words), SEQ, []) is not None:
                return data


def fill(namespace: DemoNamespace) -> None:
    """Each kind of row: full sockets, requests, mini-sockets, listeners and a bound one."""
    run = namespace.run
    run(sockets.listening, "127.0.0.1", device="lo")
    run(sockets.listening, "::", v6only=True)
    run(states.bound, "127.0.0.1")
    run(queues.accept_overflow, "127.0.0.1", 0, 2)
    run(queues.unread, 1000, "::1")
    run(states.syn_recv, "::", "127.0.0.1")
    run(states.time_wait, "127.0.0.1")
    run(states.close_wait, "::1")
    run(states.zero_window, "127.0.0.1")


def main() -> None:
    with DemoNamespace() as namespace:
        fill(namespace)
        for name, request in REQUESTS.items():
            data = namespace.in_thread(receive, request)
            Path(__file__).with_name(f"{name}.bin").write_bytes(data)


if __name__ == "__main__":
    main()

"""Lab: hosts in network namespaces, joined by links, and the programs that run on them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from tcptop.demo.namespace import DemoNamespace
from tcptop.sources.restraints import mounts

DEVICE = "v0"
PROGRAMS = Path(__file__).parent / "programs"
READY_S = 50.0
POLL_S = 0.1
_DEAD_MAC = "02:00:00:00:00:99"
# A namespace with a small socket table scales these down with it (tcp_set_hashinfo).
_USUAL = {"net.ipv4.tcp_max_tw_buckets": 131072, "net.ipv4.tcp_max_syn_backlog": 2048}
_STATES = ["", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT"]
_STATES += ["CLOSE", "CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING"]


_MOUNTS = mounts(Path("/proc/self/mountinfo").read_bytes())
# What freezes and thaws a control group, by hierarchy, of those that are mounted.
FREEZERS = {
    name: files
    for name, files in {
        "": ("cgroup.freeze", "1", "0"),
        "freezer": ("freezer.state", "FROZEN", "THAWED"),
    }.items()
    if name in _MOUNTS
}
QUOTAS = "cpu" in _MOUNTS  # of CPU time, by cgroup v1
OF_TCP = "memory.kmem.tcp.limit_in_bytes"  # of its memory, by cgroup v1
LIMITS = "memory" in _MOUNTS and (Path(_MOUNTS["memory"].point) / OF_TCP).exists()


@dataclass(frozen=True)
class Row:
    """A line of /proc/net/tcp or tcp6; of LISTEN `recv_q` is the length of the accept queue."""

    state: str
    local: int  # ports
    remote: int
    recv_q: int
    send_q: int
    timer: int
    retrans: int
    inode: int


@dataclass
class Host:
    """One host of a lab. `address` is the one at which the others reach it."""

    name: str
    address: str
    namespace: DemoNamespace
    home: Path
    pids: dict[str, int]
    programs: list[tuple[str, subprocess.Popen[bytes]]] = field(default_factory=list)
    quitting: set[int] = field(default_factory=set)
    groups: list[Path] = field(default_factory=list)  # control groups
    closed: bool = False

    def start(self, name: str, *words: object, port: int = 0, files: int = 0) -> int:
        """Run a program until the lab closes; return its pid once it listens on `port`.

        `files` is its limit of descriptors. Raises RuntimeError if it ends instead.
        """
        limit = ["prlimit", f"--nofile={files}"] if files else []
        bound = ["setpriv", "--pdeathsig=KILL", "--", *limit, *map(str, words)]
        with open(self.home / f"{name}.out", "ab") as out, self.namespace.entered():
            process = subprocess.Popen(
                bound,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd=self.home,
                start_new_session=True,
            )
        self.programs.append((name, process))
        if self.closed:  # by who had no time to wait for it
            self.close()
        self.pids[name] = process.pid
        if port:
            self.until(lambda: self.listens(port) or process.poll() is not None, f"port {port}")
        if process.poll() is not None:
            raise RuntimeError(f"{name} has ended: {self.said(name)}")
        return process.pid

    def python(
        self, program: str, *words: object, name: str = "", port: int = 0, files: int = 0
    ) -> int:
        """Run one of the scripts of `programs`; its name in the lab is the script's or `name`."""
        script = [sys.executable, PROGRAMS / f"{program}.py", *words]
        return self.start(name or program, *script, port=port, files=files)

    def nginx(self, name: str, http: str, port: int, *, workers: int = 1, events: str = "") -> int:
        """nginx of Debian with this inside its `http` block."""
        at = self.home / name
        at.mkdir()
        config = at / "nginx.conf"
        paths = "".join(
            f"{kind}_temp_path {at}/{kind}; "
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        config.write_text(
            f"daemon off; user root; worker_processes {workers}; pid {at}/pid; error_log stderr;\n"
            f"events {{ {events or 'worker_connections 4096;'} }}\n"
            f"http {{ access_log off; default_type text/plain; {paths}\n{http}\n}}\n"
        )
        return self.start(name, "nginx", "-c", config, "-p", at, port=port)

    def haproxy(self, name: str, config: str, port: int) -> int:
        """haproxy of Debian, for HTTP unless the configuration says otherwise."""
        file = self.home / f"{name}.cfg"
        file.write_text(
            "global\n nbthread 1\n maxconn 1000\ndefaults\n mode http\n timeout connect 5s\n"
            f" timeout client 30s\n timeout server 30s\n{config}\n"
        )
        return self.start(name, "haproxy", "-db", "-f", file, port=port)

    def redis(self, name: str, port: int, *words: object) -> int:
        """redis of Debian, which writes nothing to disk."""
        bind = ["--bind", self.address, "--port", port, "--protected-mode", "no"]
        debug = ["--enable-debug-command", "yes", "--save", "", "--dir", self.home]
        return self.start(name, "redis-server", *bind, *debug, *words, port=port)

    def workers(self, name: str, count: int = 1) -> list[int]:
        """The first children of a program that forks workers."""
        pid = self.pids[name]
        children = Path(f"/proc/{pid}/task/{pid}/children")
        self.until(lambda: len(children.read_text().split()) >= count, f"workers of {name}")
        return [int(word) for word in children.read_text().split()[:count]]

    def said(self, name: str) -> str:
        """What a program has printed, its end."""
        return (self.home / f"{name}.out").read_text(errors="replace")[-2000:]

    def nft(self, rules: str) -> None:
        """Load a ruleset, written as nft(8) reads it from a file."""
        file = self.home / f"{self.name}.nft"
        file.write_text(rules)
        self.namespace.command(["nft", "-f", str(file)])

    def filter(self, *rules: str, hook: str = "input") -> None:
        """Rules of a filter of packets, for example "tcp dport 80 drop"."""
        lines = "\n".join(rules)
        self.nft(
            f"table inet f {{\nchain c {{\ntype filter hook {hook} priority 0\n{lines}\n}}\n}}"
        )

    def ingress(self, *rules: str) -> None:
        """The same before anything else has seen what comes over the link."""
        lines, where = "\n".join(rules), f'hook ingress device "{DEVICE}" priority 0'
        self.nft(f"table netdev g {{\nchain c {{\ntype filter {where}\n{lines}\n}}\n}}")

    def sysctl(self, name: str, value: object) -> None:
        self.namespace.sysctl(name, value)

    def ip(self, *commands: str) -> None:
        """Each as behind the word `ip`."""
        file = self.home / f"{self.name}.ip"
        file.write_text("\n".join(commands))
        self.namespace.command(["ip", "-batch", str(file)])

    def lose(self, address: str) -> None:
        """Lose all that this host sends to an address of its link: nobody answers there."""
        self.ip(f"neigh replace {address} lladdr {_DEAD_MAC} dev {DEVICE} nud permanent")

    def knows(self, other: Host) -> None:
        """Tell this host where another one of its link is, without asking for it."""
        mac = f"lladdr {_mac(other.address)}"
        self.ip(f"neigh replace {other.address} {mac} dev {DEVICE} nud permanent")

    def addresses(self, *more: str) -> None:
        self.ip(*(f"addr add {each}/24 dev {DEVICE}" for each in more))

    def rows(self) -> Iterator[Row]:
        for name in ("tcp", "tcp6"):
            with suppress(FileNotFoundError):
                text = Path(f"/proc/{self.namespace.pid}/net/{name}").read_text()
                yield from map(_row, text.splitlines()[1:])

    def count(self, state: str, *, local: int = 0, remote: int = 0) -> int:
        """Sockets in a state at a local or to a remote port."""
        return len(list(self._such(state, local, remote)))

    def queued(self, port: int) -> int:
        """Connections in the accept queue of a port."""
        return sum(row.recv_q for row in self._such("LISTEN", port, 0))

    def unread(self, port: int) -> int:
        """Connections of a local port with something in Recv-Q."""
        rows = self.rows()
        return sum(r.recv_q > 0 for r in rows if r.local == port and r.state != "LISTEN")

    def again(self, *, local: int = 0, remote: int = 0, times: int = 1) -> int:
        """Sockets that have sent the same at least so many times more."""
        rows = (r for r in self.rows() if r.timer == 1 and r.retrans >= times)
        return sum(local == r.local if local else remote == r.remote for r in rows)

    def listens(self, port: int) -> bool:
        return self.count("LISTEN", local=port) > 0

    def counter(self, name: str) -> int:
        """A counter of /proc/net/snmp or netstat, such as "TcpExtListenDrops"."""
        for file in ("snmp", "netstat"):
            lines = Path(f"/proc/{self.namespace.pid}/net/{file}").read_text().splitlines()
            for names, values in zip(lines[::2], lines[1::2], strict=True):
                section, *columns = names.split()
                for column, value in zip(columns, values.split()[1:], strict=True):
                    if section.rstrip(":") + column == name:
                        return int(value)
        raise KeyError(name)

    def until(self, condition: Callable[[], bool], what: str, timeout: float = READY_S) -> None:
        """Poll a condition. Raises TimeoutError that says what did not happen."""
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.name}: not within {timeout} s: {what}")
            time.sleep(POLL_S)

    def quit(self, pid: int) -> None:
        """Tell a program to end when it has served its clients (SIGQUIT of nginx)."""
        self.quitting.add(pid)
        os.kill(pid, signal.SIGQUIT)

    def freeze(self, pid: int, hierarchy: str) -> None:
        """As docker pause does, by cgroup v1 ("freezer") or v2 (""), or whichever there is."""
        chosen = hierarchy if hierarchy in FREEZERS else next(iter(FREEZERS))
        name, frozen, _ = FREEZERS[chosen]
        (self.confined(pid, chosen) / name).write_text(frozen)

    def confined(self, pid: int, hierarchy: str) -> Path:
        """A control group that has nothing but this process."""
        at = Path(_MOUNTS[hierarchy].point) / f"tcptop-test-{pid}"
        at.mkdir()
        self.groups.append(at)
        (at / "cgroup.procs").write_text(str(pid))
        return at

    def _leave_groups(self) -> None:
        """Programs that are frozen cannot end."""
        for at in self.groups:
            for name, _, thawed in FREEZERS.values():
                if (at / name).exists():
                    (at / name).write_text(thawed)

    def early(self) -> list[str]:
        """What programs said that have ended, unless they were told to."""
        ended = [(n, p) for n, p in self.programs if p.poll() is not None]
        return [f"{name}: {self.said(name)}" for name, p in ended if p.pid not in self.quitting]

    def close(self) -> None:
        """End all programs."""
        self.closed = True
        for _, process in self.programs:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        self._leave_groups()
        for _, process in self.programs:
            process.wait()
        while self.groups:
            self.groups.pop().rmdir()

    def _such(self, state: str, local: int, remote: int) -> Iterator[Row]:
        for row in self.rows():
            ports = (local or row.local) == row.local and (remote or row.remote) == row.remote
            if row.state == state and ports:
                yield row


class Lab:
    """Hosts `client` and `server` at the two ends of a link; `gateway` routes between them if made
    so. Make it in the main thread: its namespaces end with the thread that made them.
    """

    def __init__(self, routed: bool = False) -> None:
        self._home = TemporaryDirectory(prefix="tcptop-incident-", ignore_cleanup_errors=True)
        self.home = Path(self._home.name)
        self.home.chmod(0o755)
        self.pids: dict[str, int] = {}
        self.hosts: dict[str, Host] = {}
        self.server = self._host("server", "10.76.0.1" if routed else "10.77.0.1")
        self.client = self._host("client", "10.77.0.2")
        if routed:
            self.gateway = self._host("gateway", "10.77.0.254")
            _join(self.gateway, self.client, "10.77.0.254/24", "10.77.0.2/24")
            _join(self.gateway, self.server, "10.76.0.254/24", "10.76.0.1/24", "v1")
            self.client.ip("route add default via 10.77.0.254")
            self.server.ip("route add default via 10.76.0.254")
            self.gateway.sysctl("net.ipv4.ip_forward", 1)
        else:
            _join(self.server, self.client, "10.77.0.1/24", "10.77.0.2/24")
        for host in self.hosts.values():
            for name, value in _USUAL.items():
                host.sysctl(name, value)

    def far(self, **settings: float) -> None:
        """Make the way through the gateway long, narrow, lossy …: settings of programs/path.py."""
        self.gateway.sysctl("net.ipv4.ip_forward", 0)
        words = [f"{name}={value}" for name, value in settings.items()]
        ends = (_mac(host.address) for host in (self.client, self.server))
        self.gateway.python("path", *ends, *words)

    def wait(self, seconds: float) -> None:
        """Let it go on for so long, where nothing can be polled for."""
        time.sleep(seconds)

    def close(self) -> list[str]:
        """End everything; what programs said that had ended too early."""
        # Of all, before the first is ended: without their servers others end by themselves.
        early = [each for host in self.hosts.values() for each in host.early()]
        for host in self.hosts.values():
            host.close()
        for host in reversed(self.hosts.values()):
            host.namespace.close()
        self._home.cleanup()
        return early

    def _host(self, name: str, address: str) -> Host:
        beside = self.server.namespace if self.hosts else None
        host = Host(name, address, DemoNamespace(beside=beside), self.home, self.pids)
        self.hosts[name] = host
        return host


def _join(one: Host, other: Host, ours: str, theirs: str, device: str = DEVICE) -> None:
    peer = f"peer name {DEVICE} address {_mac(theirs)} netns {other.namespace.pid}"
    one.ip(f"link add {device} address {_mac(ours)} type veth {peer}")
    one.ip(f"addr add {ours} dev {device}", f"link set {device} up")
    other.ip(f"addr add {theirs} dev {DEVICE}", f"link set {DEVICE} up")


def _mac(address: str) -> str:
    return "02:00:" + ":".join(f"{int(part):02x}" for part in address.split("/")[0].split("."))


def _row(line: str) -> Row:
    words = line.split()
    send_q, recv_q = (int(each, 16) for each in words[4].split(":"))
    return Row(
        _STATES[int(words[3], 16) if words[3] != "0C" else 3],
        int(words[1][-4:], 16),
        int(words[2][-4:], 16),
        recv_q,
        send_q,
        int(words[5].split(":")[0], 16),
        int(words[6], 16),
        int(words[9]),
    )

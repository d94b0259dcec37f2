"""A long way between two links of this host, in place of the kernel's forwarding.

path.py MAC0 MAC1 [NAME=VALUE...]: what arrives at v0 leaves at v1 towards MAC1, and the other way
towards MAC0; of both ways, or of one by itself (NAME0 is what arrives at v0):
delay (seconds), rate (bytes a second) and queue (bytes that wait for it), lose (one of so many),
late (one of so many is overtaken), mss (no larger one is agreed on), wscale=0 (that option is taken
out of SYNs).

sch_netem is not in every kernel. Frames are handed on with the header of virtio, so that those
larger than a packet and those without a checksum stay as they are (packet(7)).
"""

import select
import socket
import struct
import sys
import time
from heapq import heappop, heappush

PACKET_VNET_HDR, SOL_PACKET, ETH_P_IP, INCOMING = 15, 263, 0x0800, 0
OVERTAKEN_S = 0.003
VIRTIO, ETHERNET, SYN, SO_RCVBUFFORCE = 10, 14, 2, 33
END, NOP, MSS, WSCALE = 0, 1, 2, 3


def opened(device: str) -> socket.socket:
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    made.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    made.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 32 << 20)
    made.bind((device, ETH_P_IP))
    return made


class Way:
    def __init__(
        self, come: socket.socket, go: socket.socket, mac: str, settings: dict[str, str]
    ) -> None:
        self.come, self.go, self.to = come, go, bytes.fromhex(mac.replace(":", ""))
        self.at: bytes = go.getsockname()[4]
        self.delay, self.rate, self.queue, self.lose, self.late, self.mss, self.wscale = (
            float(settings.get(name, usual))
            for name, usual in (
                *(("delay", 0), ("rate", 0), ("queue", 1 << 20), ("lose", 0), ("late", 0)),
                *(("mss", 0), ("wscale", 1)),
            )
        )
        self.waiting: list[tuple[float, int, bytearray]] = []
        self.free, self.seen = 0.0, 0

    def take(self) -> None:
        data, (_, _, kind, _, _) = self.come.recvfrom(80_000)
        if kind != INCOMING:
            return
        frame, now = bytearray(data), time.monotonic()
        self.seen += 1
        if self.lose and self.seen % self.lose == 0:
            return
        if self.rate:
            begin = max(self.free, now)
            if (begin - now) * self.rate > self.queue:
                return
            now = self.free = begin + len(frame) / self.rate
        frame[VIRTIO : VIRTIO + 12] = self.to + self.at
        self.change(frame)
        late = OVERTAKEN_S if self.late and self.seen % self.late == 0 else 0.0
        heappush(self.waiting, (now + self.delay + late, self.seen, frame))

    def change(self, frame: bytearray) -> None:
        tcp = VIRTIO + ETHERNET + (frame[VIRTIO + ETHERNET] & 15) * 4
        if frame[VIRTIO + ETHERNET + 9] != socket.IPPROTO_TCP or not frame[tcp + 13] & SYN:
            return
        at, end = tcp + 20, tcp + (frame[tcp + 12] >> 4) * 4
        while at < end and frame[at] != END:
            size = 1 if frame[at] == NOP else frame[at + 1]
            if frame[at] == WSCALE and not self.wscale:
                frame[at : at + size] = bytes([NOP]) * size
            elif frame[at] == MSS and self.mss:
                own = struct.unpack_from("!H", frame, at + 2)[0]
                struct.pack_into("!H", frame, at + 2, min(own, int(self.mss)))
            at += size

    def give(self) -> float:
        """Send what is due; seconds until the next is."""
        while self.waiting and self.waiting[0][0] <= time.monotonic():
            try:
                self.go.send(heappop(self.waiting)[2])
            except OSError as error:
                print(error, flush=True)
        return max(0.0, self.waiting[0][0] - time.monotonic()) if self.waiting else 1.0


def main() -> None:
    macs, words = sys.argv[1:3], [word.split("=") for word in sys.argv[3:]]
    links = [opened(device) for device in ("v0", "v1")]
    both = {name: value for name, value in words if name[-1] not in "01"}
    ways = []
    for come, go in ((0, 1), (1, 0)):
        own = {name[:-1]: value for name, value in words if name[-1] == str(come)}
        ways.append(Way(links[come], links[go], macs[go], both | own))
    while True:
        left = min(way.give() for way in ways)
        ready = select.select(links, [], [], left)[0]
        for way in ways:
            if way.come in ready:
                way.take()


main()

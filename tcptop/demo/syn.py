"""SYNs from senders that do not exist, for a listener's SYN queue."""

import socket
import struct
from ipaddress import IPv4Network

from tcptop.demo.veth import SPOOFED

_SYN, _DATA_OFFSET = 0x02, 5 << 4  # RFC 9293, 3.1


def send_one(
    destination: str,
    port: int,
    number: int,
    senders: int,
    network: str = SPOOFED,
    broken: bool = False,
) -> None:
    """Send the SYN of that number, which `senders` addresses of a network send in turn; a `broken`
    one has a wrong checksum."""
    source = IPv4Network(network)[1 + number % senders].packed
    packet = _packet(source, destination, 1024 + number % 60000, port)
    if broken:
        packet = packet[:-4] + bytes([packet[-4] ^ 0xFF]) + packet[-3:]
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        raw.sendto(packet, (destination, 0))


def _packet(source: bytes, destination: str, source_port: int, port: int) -> bytes:
    """An IPv4 packet; the kernel fills in its length, id and checksum (raw(7))."""
    target = socket.inet_aton(destination)
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 0, 0, 0, 64, socket.IPPROTO_TCP, 0, source, target)
    return ip + _segment(source + target, source_port, port)


def _segment(addresses: bytes, source_port: int, port: int) -> bytes:
    def header(checksum: int) -> bytes:
        return struct.pack(
            "!HHIIBBHHH", source_port, port, 1, 0, _DATA_OFFSET, _SYN, 65535, checksum, 0
        )

    pseudo = addresses + struct.pack("!HH", socket.IPPROTO_TCP, len(header(0)))
    return header(_checksum(pseudo + header(0)))


def _checksum(data: bytes) -> int:
    """RFC 1071, of an even number of bytes."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF

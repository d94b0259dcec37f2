"""Long ways on which nothing is lost, and little moves all the same."""

from __future__ import annotations

from tests.incidents.incident import Says, healthy, incident
from tests.incidents.lab import DEVICE, Lab
from tests.incidents.proving import Proving

SLOW, TO = "slow-path", "10.76.0.1:9000"
_LATER = 3.0  # until what is sent has found its pace


def _bulk(lab: Lab, count: int, *, received: object = (), sent: object = ()) -> None:
    """Clients that send to a server as fast as they can."""
    reading, writing = ([*each] if isinstance(each, tuple) else [each] for each in (received, sent))
    lab.server.python("draining", lab.server.address, 9000, *reading, port=9000)
    lab.client.python("pouring", lab.server.address, 9000, count, *writing)
    lab.wait(_LATER)


@incident(
    client=[
        Says(
            SLOW,
            "warning",
            who="pouring",
            title=[r"window", r"64 KiB", r"8\d ms"],
            told=[r"not agreed on window scaling", r"tcp_window_scaling = 1"],
            destination=TO,
            values={"connections": 3},
        )
    ],
    server=[
        Says(
            SLOW,
            "warning",
            who="draining",
            title=[r"its own window", r"64 KiB"],
            told=[r"not agreed on window scaling"],
        )
    ],
    routed=True,
)
def a_middlebox_takes_window_scaling_away(lab: Lab) -> None:
    lab.far(delay=0.04, wscale=0)
    _bulk(lab, 3)


@a_middlebox_takes_window_scaling_away.healthy()
def windows_are_scaled(lab: Lab) -> None:
    """The link is the limit, as it should be."""
    lab.far(delay=0.04, rate=3_000_000, queue=150_000)
    _bulk(lab, 3)


@incident(
    client=[
        Says(
            SLOW,
            "warning",
            title=[r"window there takes \d\d bytes"],
            told=[r"SYN-ACK"],
            who="pouring",
        )
    ],
    routed=True,
)
def a_middlebox_takes_window_scaling_out_of_the_answer(lab: Lab) -> None:
    lab.far(delay=0.04, wscale1=0)
    _bulk(lab, 2)


@incident(
    # Of its three the sender counts those that had more to send at each look: one, on a busy host.
    client=[
        Says(SLOW, "info warning", title=[r"window there"], told=[r"Both ends scale", r"tcp_rmem"])
    ],
    server=[
        Says(SLOW, "warning", title=[r"its own window"], told=[r"SO_RCVBUF was set by the process"])
    ],
    routed=True,
)
def the_receiver_has_set_a_small_buffer(lab: Lab) -> None:
    lab.far(delay=0.04)
    _bulk(lab, 3, received=65_536)


@the_receiver_has_set_a_small_buffer.healthy()
def a_small_buffer_on_a_short_way(lab: Lab) -> None:
    lab.far(delay=0.0005, rate=20_000_000, queue=200_000)
    _bulk(lab, 3, received=65_536)


@incident(
    server=[
        Says(
            SLOW,
            "warning",
            title=[r"its own window"],
            told=[r"largest that net\.ipv4\.tcp_rmem allows"],
        )
    ],
    client=[Says(SLOW, "warning", title=[r"window there"])],
    routed=True,
)
def the_receiving_host_allows_small_buffers(lab: Lab) -> None:
    lab.far(delay=0.04)
    lab.server.sysctl("net.ipv4.tcp_rmem", "4096 65536 65536")
    _bulk(lab, 3)


@the_receiving_host_allows_small_buffers.healthy()
def the_receiver_reads_slowly(lab: Lab) -> None:
    """As it means to: a limited rate."""
    lab.far(delay=0.04)
    _bulk(lab, 3, received=(0, 1_000_000))


@incident(
    client=[
        Says(SLOW, "warning", title=[r"send buffer"], told=[r"SO_SNDBUF was set by the process"])
    ],
    server=[],
    routed=True,
)
def the_sender_has_set_a_small_buffer(lab: Lab) -> None:
    lab.far(delay=0.04)
    _bulk(lab, 3, sent=65_536)


@the_sender_has_set_a_small_buffer.healthy()
def the_sender_has_little_to_send(lab: Lab) -> None:
    lab.far(delay=0.04)
    _bulk(lab, 3, sent=(0, 500_000))


@incident(
    client=[Says(SLOW, "warning", title=[r"send buffer"], told=[r"net\.ipv4\.tcp_wmem allows"])],
    server=[],
    routed=True,
)
def the_sending_host_allows_small_buffers(lab: Lab) -> None:
    lab.far(delay=0.04)
    lab.client.sysctl("net.ipv4.tcp_wmem", "4096 16384 65536")
    _bulk(lab, 3)


@incident(
    client=[Says(SLOW, "warning", title=[r"queue on the way", r"at best"], told=[r"bufferbloat"])],
    server=[],
    routed=True,
)
def a_long_queue_on_the_way(lab: Lab) -> None:
    lab.far(delay=0.005, rate0=2_000_000, queue0=2_000_000)
    _bulk(lab, 2)


@a_long_queue_on_the_way.healthy()
def a_short_queue_on_the_way(lab: Lab) -> None:
    lab.far(delay=0.005, rate0=2_000_000, queue0=60_000)
    _bulk(lab, 2)


@incident(
    client=[Says(SLOW, "warning", title=[r"segments of 244 bytes"], told=[r"MSS option"])],
    server=[Says(SLOW, "warning", title=[r"receives in segments of 244 bytes"])],
    routed=True,
)
def the_mss_is_made_small_on_the_way(lab: Lab) -> None:
    lab.far(delay=0.01, mss=256, rate0=1_000_000, queue0=60_000)
    _bulk(lab, 3)


@incident(
    server=[Says(SLOW, "info", title=[r"with gaps"], told=[r"rcv_ooopack"])],
    over_s=13,
    routed=True,
)
def one_segment_of_fifty_is_lost(lab: Lab) -> None:
    lab.far(delay=0.02, lose0=50)
    _packets(lab)
    _bulk(lab, 4)


@one_segment_of_fifty_is_lost.healthy()
def one_segment_of_many_is_overtaken(lab: Lab) -> None:
    lab.far(delay=0.02, rate=5_000_000, queue=3_000_000, late0=50)
    _packets(lab)
    _bulk(lab, 4, sent=(0, 500_000))


def _packets(lab: Lab) -> None:
    """The client sends them as they are on a wire, each by itself."""
    lab.client.ip(f"link set {DEVICE} gso_max_segs 1")


@healthy(routed=True)
def one_stream_fills_a_long_way(lab: Lab) -> None:
    """With the buffers that Linux has by default."""
    lab.far(delay=0.04)
    _bulk(lab, 1)


# A few at a time: each way is a program that carries every segment, and others test beside these.
class TestScaling(Proving):
    incidents = (
        a_middlebox_takes_window_scaling_away,
        a_middlebox_takes_window_scaling_out_of_the_answer,
    )


class TestReceivers(Proving):
    incidents = (the_receiver_has_set_a_small_buffer, the_receiving_host_allows_small_buffers)


class TestSenders(Proving):
    incidents = (the_sender_has_set_a_small_buffer, the_sending_host_allows_small_buffers)


class TestWays(Proving):
    incidents = (a_long_queue_on_the_way, the_mss_is_made_small_on_the_way)


class TestGaps(Proving):
    incidents = (one_segment_of_fifty_is_lost,)
    loads = (one_stream_fills_a_long_way,)

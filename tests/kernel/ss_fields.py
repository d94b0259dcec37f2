"""What ss calls the fields of tcp_info and of a socket's memory (misc/ss.c)."""

from tcptop.model import tcp

SS_MEMORY = dict(zip(("r", "rb", "t", "tb", "f", "w", "o", "bl", "d"), tcp.MEMORY, strict=True))

# misc/ss.c, tcp_stats_print: under which name, and by how much multiplied, a field is printed.
SAME = """
backoff pmtu advmss unacked lost sacked fackets reordering rcv_space rcv_ssthresh bytes_sent
bytes_retrans bytes_acked bytes_received segs_out segs_in data_segs_out data_segs_in delivered
delivered_ce dsack_dups reord_seen rcv_ooopack snd_wnd rcv_wnd rehash
"""
RENAMED = {
    "mss": "snd_mss",
    "rcvmss": "rcv_mss",
    "cwnd": "snd_cwnd",
    "ssthresh": "snd_ssthresh",
    "notsent": "notsent_bytes",
    "lastsnd": "last_data_sent",
    "lastrcv": "last_data_recv",
    "lastack": "last_ack_recv",
}
MILLISECONDS = {
    **{name: name for name in ("rto", "ato", "rcv_rtt", "rwnd_limited", "sndbuf_limited")},
    "minrtt": "min_rtt",
    "busy": "busy_time",
}
BITS = ("pacing_rate", "delivery_rate")
PAIRS = {  # ss's name -> separator, fields, factor
    "rtt": ("/", ("rtt", "rttvar"), 1e-3),
    "retrans": ("/", ("retrans", "total_retrans"), 1.0),
    "wscale": (",", ("snd_wscale", "rcv_wscale"), 1.0),
}
SINGLES = {
    **{name: (name, 1.0) for name in SAME.split()},
    **{name: (field, 1.0) for name, field in RENAMED.items()},
    **{name: (field, 1e-3) for name, field in MILLISECONDS.items()},
    **{name: (name, 8.0) for name in BITS},
}
# ss leaves these out where they are 0, the others also at a default, in a state, or if it is old.
SOMETIMES = {"rto", "ssthresh", "reordering", "sacked", "minrtt", "pacing_rate"}
IF_NOT_ZERO = SINGLES.keys() - SOMETIMES - {"rcv_wnd", "rehash"}

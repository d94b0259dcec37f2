"""Capabilities that reach no further than a user namespace, as in a container without root."""

from tcptop.demo import linux
from tcptop.demo.holder import Holder
from tcptop.sources.live import LiveSource


def enter_own_user_namespace() -> None:
    linux.unshare(linux.CLONE_NEWUSER)


def look() -> tuple[bool, tuple[str, ...], str]:
    """What a sample says of its rights, and the capabilities that the process has."""
    source = LiveSource()
    try:
        sample = source.sample()
    finally:
        source.close()
    with open("/proc/self/status") as status:
        (effective,) = (line.split()[1] for line in status if line.startswith("CapEff:"))
    return sample.privileged, sample.notes, effective


def test_every_capability_in_a_user_namespace_is_not_privileged() -> None:
    holder = Holder(enter_own_user_namespace)
    try:
        privileged, notes, effective = holder.run(look)
    finally:
        holder.close()
    assert int(effective, 16) >> 19 & 1  # CAP_SYS_PTRACE
    assert not privileged
    assert any("may not be read" in note for note in notes)

"""The netem rung on this machine's kernel: it works where there is `sch_netem`, and is refused where there is not.

Seen to work on Debian's 6.12.117 cloud kernel with iproute2 6.15 (the same seed gave the same twelve delays for each
distribution), and to be refused on a 6.18 kernel without it and by iproute2 6.1, which does not know `seed`.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from cleanroom.errors import CapabilityError
from cleanroom.faults.traffic.control import ControlTraffic
from cleanroom.faults.traffic.shape import Delay, Match, Shape
from cleanroom.quantity import Duration
from tests.engine.wire import Wire, kernel_has_netem, open_wire

pytestmark = pytest.mark.full

STREAM = "0123456789abcdef" * 4
OTHER = "fedcba9876543210" * 4
DELAY = Delay(delay=Duration(60 * 10**6))
EGRESS = Match(direction="egress")


@pytest.fixture
def wire() -> Iterator[Wire]:
    with open_wire() as made:
        yield made


@contextmanager
def shaped(wire: Wire, match: Match, delay: Delay, stream: str = STREAM) -> Iterator[ControlTraffic]:
    traffic = ControlTraffic(wire.place, Shape(match=match, effect=delay, stream=stream))
    traffic.apply()
    try:
        yield traffic
    finally:
        traffic.remove()


WORKS = kernel_has_netem()
RATHER = "the kernel has netem" if WORKS else "the kernel has no netem"


def refused(wire: Wire, match: Match, delay: Delay) -> bool:
    """Return whether netem refuses, having left nothing, as it must where the kernel has none."""
    traffic = ControlTraffic(wire.place, Shape(match=match, effect=delay, stream=STREAM))
    with pytest.raises(CapabilityError, match=r"backend netem: .*(unknown|not found|No such file|\"seed\")"):
        traffic.apply()
    return traffic.leftovers() == () and traffic.lapses == []


def test_every_packet_of_an_unfiltered_shape_is_late_and_nothing_stays(wire):
    if not WORKS:
        assert refused(wire, EGRESS, DELAY), RATHER
        return
    before = min(wire.icmp_ms())
    with shaped(wire, EGRESS, DELAY) as traffic:
        assert min(wire.icmp_ms()) >= before + 58
        assert min(wire.tcp_ms(9)) >= before + 58
    assert traffic.leftovers() == ()
    assert traffic.lapses == []
    assert traffic.figures["egress.packets"] >= 10
    assert min(wire.tcp_ms(9)) < 58


def test_only_the_packets_of_a_filter_are_late(wire):
    match = Match(direction="egress", protocol="tcp", ports=(5432,), peers=(wire.near.address,))
    if not WORKS:
        assert refused(wire, match, DELAY), RATHER
        return
    with shaped(wire, match, DELAY) as traffic:
        assert min(wire.tcp_ms(5432)) >= 58
        assert min(wire.tcp_ms(5433)) < 58
        assert min(wire.icmp_ms()) < 58
    assert traffic.leftovers() == ()
    assert traffic.lapses == []


def test_a_filter_on_another_peer_delays_nothing(wire):
    match = Match(direction="egress", peers=("10.99.0.77",))
    if not WORKS:
        assert refused(wire, match, DELAY), RATHER
        return
    with shaped(wire, match, DELAY):
        assert min(wire.tcp_ms(9)) < 58


@pytest.mark.parametrize("distribution", ["uniform", "normal", "pareto"])
def test_the_seed_makes_jitter_repeatable(wire, distribution):
    jittered = Delay(delay=Duration(60 * 10**6), jitter=Duration(25 * 10**6), distribution=distribution)
    if not WORKS:
        assert refused(wire, EGRESS, jittered), RATHER
        return
    first, again, other = (fastest(wire, jittered, stream) for stream in (STREAM, STREAM, OTHER))
    assert max(first) - min(first) > 10
    assert apart(first, again) < 4 < apart(first, other)


def fastest(wire: Wire, delay: Delay, stream: str) -> list[float]:
    """The same twelve packets three times over, each at its fastest: a busy machine only adds."""
    runs = []
    for _ in range(3):
        with shaped(wire, EGRESS, delay, stream):
            assert f"seed {int(stream[:16], 16)}" in wire.disciplines()
            runs.append(wire.icmp_ms(12))
    return [min(packet) for packet in zip(*runs, strict=True)]


def apart(first: list[float], second: list[float]) -> float:
    """The median difference between the same packets of two series."""
    return statistics.median(abs(a - b) for a, b in zip(first, second, strict=True))


def test_an_emulator_that_somebody_removed_is_a_lapse(wire):
    if not WORKS:
        assert refused(wire, EGRESS, DELAY), RATHER
        return
    with shaped(wire, EGRESS, DELAY) as traffic:
        wire.far.run(("tc", "qdisc", "del", "dev", "eth0", "root"))
    assert traffic.lapses == ["its part of the tree was not there any more"]
    assert traffic.leftovers() == ()


def test_a_second_emulator_for_other_packets_in_common_is_refused_and_the_first_stays(wire):
    if not WORKS:
        assert refused(wire, EGRESS, DELAY), RATHER
        return
    with shaped(wire, EGRESS, DELAY) as first:
        second = ControlTraffic(
            wire.place, Shape(match=Match(direction="egress", ports=(9,)), effect=DELAY, stream=STREAM)
        )
        with pytest.raises(CapabilityError, match="packets in common"):
            second.apply()
        second.remove()
        assert min(wire.tcp_ms(9)) >= 58
    assert first.leftovers() == ()


def test_what_netem_cannot_do_is_refused_everywhere(wire):
    for match, delay, words in ((EGRESS, Delay(delay=DELAY.delay, jitter=Duration(3 * 10**9)), "jitter"),):
        with pytest.raises(CapabilityError, match=words):
            ControlTraffic(wire.place, Shape(match=match, effect=delay, stream=STREAM)).apply()
    assert "netem" not in wire.disciplines()

"""The netem rung on this machine's kernel: it works where the kernel has `sch_netem`, and is refused where it has not."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pytest

from cleanroom.errors import CapabilityError
from cleanroom.faults.traffic.netem import NetemTraffic
from cleanroom.faults.traffic.place import Place
from cleanroom.faults.traffic.shape import Delay, Match, Shape
from cleanroom.network.command import run
from cleanroom.network.guest import Guest, blank_namespace
from cleanroom.network.measure import icmp_rtt, tcp_rtt
from cleanroom.quantity import Duration

pytestmark = pytest.mark.full

TIMEOUT = Duration(5 * 10**9)
STREAM = "0123456789abcdef" * 4
DELAY = Delay(delay=Duration(60 * 10**6))
EGRESS = Match(direction="egress")


@dataclass(frozen=True)
class Pair:
    """Two namespaces on one wire; the second is the one that is disturbed."""

    near: Guest
    far: Guest
    place: Place

    def tcp_ms(self, port: int, samples: int = 5) -> list[float]:
        return [t / 10**6 for t in tcp_rtt(self.near.path, self.far.address, port, samples, TIMEOUT).samples]

    def icmp_ms(self, samples: int = 5) -> list[float]:
        return [t / 10**6 for t in icmp_rtt(self.near.path, self.far.address, samples, TIMEOUT).samples]

    def listing(self) -> str:
        return self.far.run(("tc", "qdisc", "show", "dev", "eth0"))

    @contextmanager
    def shaped(self, match: Match, delay: Delay) -> Iterator[NetemTraffic]:
        traffic = NetemTraffic(self.place, Shape(match=match, delay=delay, stream=STREAM))
        traffic.apply()
        try:
            yield traffic
        finally:
            traffic.remove()


@pytest.fixture
def pair() -> Iterator[Pair]:
    with ExitStack() as stack:
        near, far = (Guest(pid=stack.enter_context(blank_namespace()), address=f"10.99.0.{host}") for host in (1, 2))
        ends = ("name", "eth0", "netns", str(far.pid))
        run(("ip", "link", "add", "eth0", "netns", str(near.pid), "type", "veth", "peer", *ends))
        for guest in (near, far):
            guest.run(("ip", "address", "add", f"{guest.address}/24", "dev", "eth0"))
            guest.run(("ip", "link", "set", "eth0", "up"))
        place = Place(far.path)
        yield Pair(near=near, far=far, place=place)
        place.close()


def kernel_has_netem() -> bool:
    """Ask the kernel itself, past the code under test."""
    with blank_namespace() as pid:
        argv = (
            "nsenter",
            f"--net=/proc/{pid}/ns/net",
            "tc",
            "qdisc",
            "add",
            "dev",
            "lo",
            "root",
            "netem",
            "delay",
            "1ms",
        )
        return subprocess.run(argv, capture_output=True, check=False, timeout=30).returncode == 0


WORKS = kernel_has_netem()
RATHER = "the kernel has netem" if WORKS else "the kernel has no netem"


def refused(pair: Pair, match: Match, delay: Delay) -> bool:
    """Return whether netem refuses, having left nothing, as it must where the kernel has none."""
    traffic = NetemTraffic(pair.place, Shape(match=match, delay=delay, stream=STREAM))
    with pytest.raises(CapabilityError, match=r"backend netem: .*(unknown|not found|No such file|\"seed\")"):
        traffic.apply()
    return traffic.leftovers() == () and traffic.lapses == []


def test_every_packet_of_an_unfiltered_shape_is_late_and_nothing_stays(pair):
    if not WORKS:
        assert refused(pair, EGRESS, DELAY), RATHER
        return
    before = min(pair.icmp_ms())
    with pair.shaped(EGRESS, DELAY) as traffic:
        assert min(pair.icmp_ms()) >= before + 58
        assert min(pair.tcp_ms(9)) >= before + 58
    assert traffic.leftovers() == ()
    assert traffic.lapses == []
    assert traffic.figures["egress.packets"] >= 10
    assert min(pair.tcp_ms(9)) < 58


def test_only_the_packets_of_a_filter_are_late(pair):
    match = Match(direction="egress", protocol="tcp", ports=(5432,), peers=(pair.near.address,))
    if not WORKS:
        assert refused(pair, match, DELAY), RATHER
        return
    with pair.shaped(match, DELAY) as traffic:
        assert min(pair.tcp_ms(5432)) >= 58
        assert min(pair.tcp_ms(5433)) < 58
        assert min(pair.icmp_ms()) < 58
    assert traffic.leftovers() == ()
    assert traffic.lapses == []


def test_a_filter_on_another_peer_delays_nothing(pair):
    match = Match(direction="egress", peers=("10.99.0.77",))
    if not WORKS:
        assert refused(pair, match, DELAY), RATHER
        return
    with pair.shaped(match, DELAY):
        assert min(pair.tcp_ms(9)) < 58


@pytest.mark.parametrize("distribution", ["uniform", "normal", "pareto"])
def test_the_seed_makes_jitter_repeatable(pair, distribution):
    jittered = Delay(
        delay=Duration(60 * 10**6), jitter=Duration(25 * 10**6), distribution=distribution, correlation=10.0
    )
    if not WORKS:
        assert refused(pair, EGRESS, jittered), RATHER
        return
    series = []
    for _ in range(2):
        with pair.shaped(EGRESS, jittered):
            assert f"seed {int(STREAM[:16], 16)}" in pair.listing()
            # No neighbour discovery among the packets: it would take draws of its own.
            pair.far.run(("ip", "neigh", "replace", pair.near.address, "dev", "eth0", "lladdr", mac(pair.near)))
            pair.near.run(("ip", "neigh", "replace", pair.far.address, "dev", "eth0", "lladdr", mac(pair.far)))
            series.append(pair.icmp_ms(12))
    assert max(series[0]) - min(series[0]) > 10
    late = [abs(a - b) for a, b in zip(*series, strict=True)]
    assert sorted(late)[len(late) // 2] < 5


def mac(guest: Guest) -> str:
    words = guest.run(("ip", "-o", "link", "show", "eth0")).split()
    return words[words.index("link/ether") + 1]


def test_an_emulator_that_somebody_removed_is_a_lapse(pair):
    if not WORKS:
        assert refused(pair, EGRESS, DELAY), RATHER
        return
    with pair.shaped(EGRESS, DELAY) as traffic:
        pair.far.run(("tc", "qdisc", "del", "dev", "eth0", "root"))
    assert traffic.lapses == ["the emulator was not there any more"]
    assert traffic.leftovers() == ()


def test_a_second_emulator_is_refused_and_the_first_stays(pair):
    if not WORKS:
        assert refused(pair, EGRESS, DELAY), RATHER
        return
    with pair.shaped(EGRESS, DELAY) as first:
        second = NetemTraffic(pair.place, Shape(match=EGRESS, delay=DELAY, stream=STREAM))
        with pytest.raises(CapabilityError, match="already"):
            second.apply()
        second.remove()
        assert first.leftovers() == ("netem",)
        assert min(pair.tcp_ms(9)) >= 58
    assert first.leftovers() == ()


def test_what_netem_cannot_do_is_refused_everywhere(pair):
    for match, delay, words in (
        (Match(direction="ingress"), DELAY, "egress"),
        (EGRESS, Delay(delay=DELAY.delay, jitter=Duration(3 * 10**9)), "jitter"),
    ):
        with pytest.raises(CapabilityError, match=words):
            NetemTraffic(pair.place, Shape(match=match, delay=delay, stream=STREAM)).apply()
    assert "netem" not in pair.listing()

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from cleanroom.errors import CapabilityError, EngineError, NetworkError
from cleanroom.faults import silence
from cleanroom.faults.link import Link
from cleanroom.faults.network import emulated
from cleanroom.faults.network import latency as network
from cleanroom.faults.network.latency import Latency, open_latency
from cleanroom.faults.silence import Silence
from cleanroom.faults.traffic.shape import Delay, Shape
from cleanroom.network.ports import Rtt
from cleanroom.quantity import Duration
from tests.unit.faults.scenes import Engine, Time, context, latency

MS = 10**6
FLOOR = 100_000  # ns of a link without any delay


@dataclass
class World:
    """What a round trip takes, what the rungs do, and what was opened and closed."""

    engine: Engine
    added: float = 0.0
    """Milliseconds that are on the wire now."""
    noise: list[float] = field(default_factory=lambda: [0.0])
    answers: bool = True
    refusing: dict[str, str] = field(default_factory=dict)
    powerless: bool = False
    """The rung applies, and nothing happens."""
    stuck: tuple[str, ...] = ()
    lapse: str = ""
    shapes: list[Shape] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    uncounted: bool = False
    passed: int = 0
    """Packets that the rungs have counted."""
    open: int = 0
    removed: int = 0

    def rtt(self, link: Link, samples: int, timeout: Duration) -> Rtt:
        self.links.append(link)
        if not self.answers:
            return Rtt(samples=(), lost=samples, timeout=timeout)
        noise = [round(self.noise[i % len(self.noise)] * MS) for i in range(samples)]
        self.passed += 0 if self.uncounted else samples
        return Rtt(samples=tuple(FLOOR + round(self.added * MS) + n for n in noise), lost=0, timeout=timeout)


class Rung:
    def __init__(self, world: World, name: str, shape: Shape) -> None:
        self.world = world
        self.backend = name
        self.shape = shape
        self.figures: dict[str, object] = {"packets": 7}
        self.lapses: list[str] = []
        self.applied = False

    def apply(self) -> None:
        if self.backend in self.world.refusing:
            raise CapabilityError(self.world.refusing[self.backend])
        self.world.shapes.append(self.shape)
        self.applied = True
        if not self.world.powerless:
            self.world.added += delay_of(self.shape)

    def remove(self) -> None:
        if self.applied and not self.world.powerless:
            self.world.added -= delay_of(self.shape)
        self.world.removed += self.applied
        self.applied = False
        if self.world.lapse:
            self.lapses.append(self.world.lapse)

    def counters(self) -> dict[str, object]:
        return {"egress.packets": self.world.passed, "egress.bytes": 100 * self.world.passed}

    def leftovers(self) -> tuple[str, ...]:
        return self.world.stuck


def delay_of(shape: Shape) -> float:
    assert isinstance(shape.effect, Delay)
    return shape.effect.delay.ms


@pytest.fixture
def world(monkeypatch) -> World:
    made = World(Engine(Time(), "api", "db"))

    class Place:
        def __init__(self, path: str) -> None:
            self.path = path
            made.open += 1
            self._company = emulated.Company()

        def shared(self, _: object) -> emulated.Company:
            return self._company

        def close(self) -> None:
            made.open -= 1

    def rung(name: str) -> Callable[[object, Shape], Rung]:
        return lambda _, shape: Rung(made, name, shape)

    monkeypatch.setattr(silence, "_silenced", Counter())
    monkeypatch.setattr(emulated, "Place", Place)
    monkeypatch.setattr(emulated, "visible_pid", lambda state: state.pid)
    monkeypatch.setattr(emulated, "RUNGS", {name: rung(name) for name in ("netem", "nfqueue")})
    monkeypatch.setattr(Link, "measure", lambda *call: made.rtt(*call))  # noqa: PLW0108 - a method of links
    return made


def opened(world: World, *targets: str, listens: tuple[int, ...] = (), **options: object) -> Latency:
    return open_latency(latency(*(targets or ("db",)), **options), context(world.engine, ports=listens))  # type: ignore[arg-type]


def test_a_delay_that_shows_is_proven_and_its_end_too(world):
    fault = opened(world)
    fault.inject()
    effect = fault.verify()
    assert (effect.holds, fault.backend) == (True, "netem")
    assert effect.facts == {
        "expected_ms": 100.0, "db.rtt_before_ms": 0.1, "db.rtt_during_ms": 100.1, "db.measured_over": "icmp"
    }  # fmt: skip
    fault.revert()
    reversal = fault.verify_reversal()
    assert (reversal.holds, reversal.lapsed) == (True, "")
    assert (reversal.facts["db.packets"], reversal.facts["db.rtt_after_ms"]) == (7, 0.1)
    assert world.open == 0
    assert fault.recovery() is None


def test_a_delay_that_does_nothing_is_not_proven(world):
    world.powerless = True
    fault = opened(world)
    fault.inject()
    effect = fault.verify()
    assert not effect.holds
    assert effect.reason == "the round trip to db did not grow by 100 ms, but by 0.0 ms"


@pytest.mark.parametrize(("noise", "holds"), [([300.0, 300.0, 300.0, 300.0, 0.0], False), ([90.0], True)])
def test_only_a_link_that_is_never_fast_is_a_slow_link(world, noise, holds):
    """A loaded machine makes most round trips slow; a delay makes all of them slow."""
    world.powerless = True
    fault = opened(world)
    fault.inject()
    world.noise = noise
    assert fault.verify().holds is holds


def test_a_busy_moment_before_the_fault_does_not_hide_its_effect(world):
    world.noise = [80.0, 90.0, 0.5, 70.0, 60.0]
    fault = opened(world)
    fault.inject()
    world.noise = [0.0]
    assert fault.verify().holds


def test_most_of_a_delay_is_not_enough_when_it_is_less_than_four_fifths(world):
    fault = opened(world)
    fault.inject()
    world.added = 79.0
    assert not fault.verify().holds
    world.added = 81.0
    assert fault.verify().holds


def test_a_link_that_answers_rarely_proves_nothing(world):
    fault = opened(world)
    fault.inject()
    world.answers = False
    effect = fault.verify()
    assert (effect.holds, effect.facts["db.rtt_during_ms"]) == (False, None)
    assert "db answered 0 of 5 times" in effect.reason


def test_a_target_that_does_not_answer_is_not_struck(world):
    world.answers = False
    fault = opened(world)
    with pytest.raises(EngineError, match="does not answer"):
        fault.inject()
    fault.revert()
    assert world.shapes == []
    assert fault.verify_reversal().holds
    assert world.open == 0


def test_jitter_asks_for_more_samples_and_for_less(world):
    fault = opened(world, jitter=50)
    fault.inject()
    effect = fault.verify()
    assert effect.holds
    # Uniform from 50 to 150 ms: all but 15 % of the packets take 65 ms at least.
    assert effect.facts["expected_ms"] == pytest.approx(65, abs=4)
    assert len(fault._before["db"].samples) == network.SAMPLES_WITH_JITTER


@pytest.mark.parametrize(
    ("options", "ways"), [({"direction": "egress"}, 1), ({"direction": "ingress"}, 1), ({"direction": "both"}, 2)]
)
def test_both_directions_delay_a_round_trip_twice(world, options, ways):
    fault = opened(world, **options)
    fault.inject()
    assert fault.verify().facts["expected_ms"] == ways * 100.0
    assert fault.verify().holds is (ways == 1)


def test_rungs_that_refused_are_named_with_the_reason(world):
    world.refusing = {"netem": "backend netem: kind is unknown"}
    fault = opened(world)
    fault.inject()
    assert fault.backend == "nfqueue"
    assert fault.verify().facts["refused_rungs"] == "backend netem: kind is unknown"


def test_a_pinned_rung_is_never_replaced_by_another(world):
    world.refusing = {"netem": "backend netem: kind is unknown"}
    fault = opened(world, backend="netem")
    with pytest.raises(CapabilityError, match="works here: backend netem: kind is unknown"):
        fault.inject()
    fault.revert()
    assert world.shapes == []


def test_without_any_rung_every_reason_is_told_and_nothing_stays(world):
    world.refusing = {"netem": "no emulator", "nfqueue": "no queue"}
    fault = opened(world)
    with pytest.raises(CapabilityError, match="no emulator; no queue"):
        fault.inject()
    fault.revert()
    assert fault.verify_reversal().holds
    assert (world.removed, world.open) == (0, 0)


def test_what_was_applied_before_another_target_failed_is_taken_away(world, monkeypatch):
    fault = opened(world, "api", "db")
    first_rung = fault.first_rung

    def second_fails(hit: object) -> None:
        if world.shapes:
            raise EngineError("no")
        first_rung(hit)  # type: ignore[arg-type]

    monkeypatch.setattr(fault, "first_rung", second_fails)
    with pytest.raises(EngineError, match="no"):
        fault.inject()
    assert world.added == 100
    fault.revert()
    assert world.added == 0
    assert fault.verify_reversal().holds
    assert world.open == 0


def test_a_rung_that_breaks_while_it_is_applied_is_taken_away_too(world, monkeypatch):
    def breaks(rung: Rung) -> None:
        rung.applied = True
        raise NetworkError("the namespace is gone")

    monkeypatch.setattr(Rung, "apply", breaks)
    fault = opened(world)
    with pytest.raises(NetworkError):
        fault.inject()
    fault.revert()
    assert world.removed == 1


def test_a_link_that_is_still_slow_is_not_reverted(world):
    fault = opened(world)
    fault.inject()
    fault.revert()
    world.added = 100
    reversal = fault.verify_reversal()
    assert (reversal.holds, reversal.reason) == (False, "still there: db is still slow")


def test_one_of_two_directions_that_stays_is_not_reverted(world):
    fault = opened(world, direction="both")
    fault.inject()
    fault.revert()
    world.added = 100
    assert not fault.verify_reversal().holds


def test_a_rule_that_stays_is_not_reverted_whatever_the_link_says(world):
    world.stuck = ("INPUT -j NFQUEUE",)
    fault = opened(world)
    fault.inject()
    fault.revert()
    reversal = fault.verify_reversal()
    assert (reversal.holds, reversal.reason) == (False, "still there: db: INPUT -j NFQUEUE")


def test_a_service_that_does_not_answer_afterwards_is_not_reverted(world):
    fault = opened(world)
    fault.inject()
    fault.revert()
    world.answers = False
    assert not fault.verify_reversal().holds


def test_a_service_that_another_fault_silences_is_not_still_slow(world):
    fault, other = opened(world), Silence()
    fault.inject()
    other.begin(("db",))
    fault.revert()
    world.answers = False
    reversal = fault.verify_reversal()
    assert (reversal.holds, reversal.facts["db.link_after"]) == (True, "not answered, under another fault")
    other.end()
    other.end()
    assert not fault.verify_reversal().holds
    world.stuck = ("a rule",)
    other.begin(("db",))
    assert not fault.verify_reversal().holds


def test_a_delay_that_another_fault_brought_about_is_no_proof(world):
    """It began between our two measurements: the round trip grew, and no packet of it passed our mechanism."""
    world.powerless = world.uncounted = True
    fault = opened(world)
    fault.inject()
    world.added = 500.0
    effect = fault.verify()
    assert not effect.holds
    assert effect.reason == "of 5 round trips to db 0 packets passed the mechanism: something else made them slow"


def test_what_a_rung_says_of_its_time_is_handed_on(world):
    world.lapse = "the worker ended early"
    fault = opened(world)
    fault.inject()
    fault.revert()
    reversal = fault.verify_reversal()
    assert (reversal.holds, reversal.lapsed) == (True, "db: the worker ended early")


@pytest.mark.parametrize(
    ("status", "started", "lapsed"), [("exited", "", False), ("running", "later", True), ("exited", "later", True)]
)
def test_a_container_that_ended_needs_no_delay_and_one_that_was_restarted_lacked_it(world, status, started, lapsed):
    fault = opened(world)
    fault.inject()
    before = world.engine.states["db"]
    world.engine.states["db"] = replace(before, status=status, started_at=started or before.started_at)
    world.answers = False
    fault.revert()
    reversal = fault.verify_reversal()
    assert reversal.holds
    assert world.removed == 1
    assert ("restarted under the fault" in reversal.lapsed) is lapsed


def test_a_container_that_another_replaced_had_no_delay(world):
    fault = opened(world)
    fault.inject()
    containers = fault.context.containers
    containers["db"] = replace(containers["db"], id="new")
    world.engine.states["db"] = replace(world.engine.states["db"], status="removing")
    fault.revert()
    assert "db: another container took its place under the fault" in fault.verify_reversal().lapsed


def test_a_container_that_is_gone_is_free_of_the_delay(world, monkeypatch):
    fault = opened(world)
    fault.inject()

    def gone(_: str) -> object:
        raise EngineError("no such container")

    monkeypatch.setattr(world.engine, "inspect", gone)
    fault.revert()
    reversal = fault.verify_reversal()
    assert (reversal.holds, reversal.facts["db.state"]) == (True, "gone")


def test_a_failure_on_one_target_does_not_keep_the_others_delayed(world, monkeypatch):
    fault = opened(world, "api", "db")
    fault.inject()
    remove = Rung.remove

    def fails(rung: Rung) -> None:
        if rung is fault.hits[1].traffic:
            raise EngineError("it sticks")
        remove(rung)

    monkeypatch.setattr(Rung, "remove", fails)
    with pytest.raises(EngineError, match="it sticks"):
        fault.revert()
    assert world.removed == 1


@pytest.mark.parametrize(
    ("options", "ports", "name"),
    [
        ({}, (), "icmp"),
        ({}, (5432, 80), "tcp/5432"),
        ({"ports": (80,)}, (5432, 80), "tcp/80"),
        ({"ports": (9000,)}, (5432,), "tcp/9000"),
        ({"protocol": "tcp"}, (), "tcp/9"),
        ({"protocol": "tcp", "ports": (1, 80)}, (80,), "tcp/80"),
    ],
)
def test_the_link_is_measured_over_packets_that_the_fault_strikes(world, options, ports, name):
    opened(world, listens=ports, **options).inject()
    assert {link.name for link in world.links} == {name}
    assert {link.netns for link in world.links} == {None}


def test_a_pair_is_measured_from_each_others_namespace_and_strikes_each_others_packets(world):
    world.engine.states["api"] = replace(world.engine.states["api"], pid=200)
    fault = opened(world, "api", "db", between=("api", "db"))
    fault.inject()
    assert {(link.address, link.netns) for link in world.links} == {
        ("10.0.0.10", "/proc/100/ns/net"), ("10.0.0.11", "/proc/200/ns/net")
    }  # fmt: skip
    assert [shape.match.peers for shape in world.shapes] == [("10.0.0.11",), ("10.0.0.10",)]
    effect = fault.verify()
    assert (effect.holds, effect.facts["expected_ms"]) == (True, 200.0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"backend": "proxy"}, "no backend 'proxy'"),
        ({"protocol": "udp"}, "udp alone cannot be measured"),
        ({"delay": 0}, "adds less than 1ms"),
        ({"delay": 50, "jitter": 100}, "adds less than 1ms"),
    ],
)
def test_what_could_not_be_proven_is_refused_before_anything_is_touched(world, options, words):
    with pytest.raises(CapabilityError, match=words):
        opened(world, **options)
    assert (world.open, world.links) == (0, [])


def test_what_need_not_be_proven_is_not_refused(world):
    assert opened(world, protocol="udp", verify=False).backend == "auto"
    fault = opened(world, delay=50, jitter=100, verify=False)
    fault.inject()
    assert not fault.verify().holds

"""Clocks that faults alter, without a container: what the control file says, what is compared, and what is refused."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from cleanroom.engine.clock import Reading
from cleanroom.engine.clock_control import ClockControl, control_variables
from cleanroom.errors import CapabilityError, EngineError
from cleanroom.faults.clock import alter
from cleanroom.faults.ladder import open_fault
from cleanroom.quantity import Duration
from cleanroom.spec.clock_setting import ClockAt, ClockOffset, ClockRate, FrozenClock, RealClock
from cleanroom.spec.instant import Instant
from tests.unit.faults.scenes import EPOCH_NS, Engine, Time, context, event

S = 10**9
TRUE = Reading(wall_ns=EPOCH_NS, offset_ns=0, slack_ns=10, rate=(1.0, 1.0), frozen=False, monotonic=True)


class World:
    """One service whose library does as its control file says, unless `deaf`."""

    def __init__(self, folder, setting=None):
        self.time = Time()
        self.engine = Engine(self.time, "db")
        self.control = ClockControl(folder / "db", setting or RealClock(), EPOCH_NS)
        self.context = replace(context(self.engine), clocks={"db": self.control})
        self.deaf = False
        self.unreached: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        path = self.control.directory / "clock"
        return path.read_text(encoding="ascii").strip() if path.exists() else "+0"

    def read(self, _engine, _container, _clock) -> Reading:
        if self.deaf:
            return TRUE
        offset, _, rate = self.words.partition(" x")
        if not offset.startswith(("+", "-")):
            return replace(TRUE, wall_ns=int(offset) * S, frozen=True)
        speed = float(rate or 1)
        return replace(TRUE, offset_ns=round(float(offset) * S), rate=(speed, speed))


@pytest.fixture
def world(tmp_path, monkeypatch) -> World:
    made = World(tmp_path)
    monkeypatch.setattr(alter, "read_clock", made.read)
    monkeypatch.setattr(alter, "unreached", lambda *_: made.unreached)
    monkeypatch.setattr(alter, "age_of", lambda _container: 10 * S)
    return made


def fault(world, kind, **parameters):
    return open_fault(event(f"clock.{kind}", "db", parameters=parameters), world.context)


CASES = [
    ("skew", {"offset": Duration(-90 * S)}, "-90.000000000 x1.000000000"),
    ("freeze", {"at": Instant(1735689600 * S)}, "1735689600"),
    ("freeze", {}, str(EPOCH_NS // S)),
    ("rate", {"rate": 1.5}, "-5.000000000 x1.500000000"),
    ("rate", {"rate": 0.5}, "+5.000000000 x0.500000000"),
    (
        "jump",
        {"offsets": (Duration(3600 * S), Duration(-S)), "every": Duration(3600 * S)},
        "+3600.000000000 x1.000000000",
    ),
]


@pytest.mark.parametrize(("kind", "parameters", "words"), CASES)
def test_a_clock_is_altered_measured_and_made_true_again(world, kind, parameters, words):
    active = fault(world, kind, **parameters)
    active.inject()
    assert world.words == words
    assert active.verify().holds
    active.revert()
    assert world.words == "+0.000000000 x1.000000000"
    gone = active.verify_reversal()
    assert (gone.holds, gone.lapsed) == (True, "")
    active.revert()
    assert active.recovery() is None


@pytest.mark.parametrize(("kind", "parameters", "_words"), CASES)
def test_a_clock_that_reads_as_before_is_no_evidence(world, kind, parameters, _words):
    active = fault(world, kind, **parameters)
    active.inject()
    world.deaf = True
    found = active.verify()
    assert not found.holds
    assert found.reason.startswith("db: it ")
    active.revert()
    active.verify_reversal()


def test_a_clock_that_does_not_come_back_is_told(world):
    active = fault(world, "skew", offset=Duration(3600 * S))
    active.inject()
    active.revert()
    (world.control.directory / "clock").write_text("+3600\n")
    gone = active.verify_reversal()
    assert not gone.holds
    assert "db: it is 3600000.000 ms from where it should be" in gone.reason


@pytest.mark.parametrize(
    ("setting", "words", "back"),
    [
        (ClockOffset(offset=Duration(60 * S)), "+61.000000000 x1.000000000", "+60.000000000 x1.000000000"),
        (ClockAt(at=Instant(EPOCH_NS - 5 * S)), "-4.000000000 x1.000000000", "-5.000000000 x1.000000000"),
    ],
)
def test_a_skew_counts_from_what_the_spec_set(world, setting, words, back):
    world.control = replace(world.control, setting=setting)
    world.context = replace(world.context, clocks={"db": world.control})
    world.control.ahead(0)
    active = fault(world, "skew", offset=Duration(S))
    active.inject()
    assert world.words == words
    active.revert()
    assert world.words == back
    assert active.verify_reversal().holds


@pytest.mark.parametrize("setting", [FrozenClock(), ClockRate(rate=2.0)])
def test_a_clock_that_does_not_run_with_the_machines_is_not_altered_further(world, setting):
    world.context = replace(world.context, clocks={"db": replace(world.control, setting=setting)})
    with pytest.raises(CapabilityError, match="altered already"):
        fault(world, "skew", offset=Duration(S)).inject()


def test_who_is_not_reached_is_named(world):
    world.unreached = ("process 7 (/app) is written in Go, which asks the kernel itself",)
    with pytest.raises(CapabilityError, match=r"process 7 \(/app\) is written in Go"):
        fault(world, "skew", offset=Duration(S)).inject()


def test_a_clock_that_was_not_prepared_is_refused(world):
    world.context = replace(world.context, clocks={})
    with pytest.raises(CapabilityError, match="was not prepared"):
        fault(world, "skew", offset=Duration(S)).inject()


def test_a_dead_service_has_no_clock(world):
    world.engine.end("db")
    with pytest.raises(CapabilityError, match="has no clock"):
        fault(world, "skew", offset=Duration(S)).inject()


def test_a_clock_that_was_wrong_before_is_no_place_to_begin(world):
    world.control.ahead(5 * S)
    with pytest.raises(EngineError, match="was not right before the fault"):
        fault(world, "skew", offset=Duration(S)).inject()


def test_two_faults_do_not_alter_one_clock(world):
    first = fault(world, "skew", offset=Duration(0))
    first.inject()
    with pytest.raises(CapabilityError, match="another fault alters the clock"):
        fault(world, "freeze").inject()
    first.revert()
    first.verify_reversal()
    again = fault(world, "freeze")
    again.inject()
    again.revert()
    assert again.verify_reversal().holds


def test_a_rung_that_does_not_exist_is_refused(world):
    with pytest.raises(CapabilityError, match="no backend 'rocket'"):
        open_fault(event("clock.skew", "db", backend="rocket"), world.context)


def test_jumps_follow_one_another_from_the_first_again_and_each_is_read(world):
    offsets = (Duration(S), Duration(2 * S), Duration(3 * S))
    active = fault(world, "jump", offsets=offsets, every=Duration(10**6))
    seen, enough = [], threading.Event()
    tell = active.tell

    def watched(hit):
        tell(hit)
        seen.append(hit.setting.offset.ns // S)
        if len(seen) >= 7:
            enough.set()

    active.tell = watched
    active.inject()
    assert enough.wait(30)
    active.revert()
    gone = active.verify_reversal()
    assert seen[:7] == [1, 2, 3, 1, 2, 3, 1]
    assert (gone.holds, gone.lapsed) == (True, "")
    assert gone.facts["db.jumps"] >= 7
    assert gone.facts["db.jumps_read"] >= 5


def test_a_jump_that_nobody_sees_is_a_lapse(world):
    active = fault(world, "jump", offsets=(Duration(S), Duration(2 * S)), every=Duration(10**6))
    active.inject()
    world.deaf = True
    (hit,) = active._hits
    waited = threading.Event()
    for _ in range(3000):
        if hit.missed:
            break
        waited.wait(0.01)
    active.revert()
    world.deaf = False
    assert "db: jump 2: it is -2000.000 ms" in active.verify_reversal().lapsed


def test_a_rate_needs_one_beginning_for_all_processes():
    variables = {"FAKETIME_DISABLE_SHM": "1", "LD_PRELOAD": "x"}
    assert control_variables(variables, frozenset({"clock.rate"})) == {"LD_PRELOAD": "x", "FAKETIME_NO_CACHE": "1"}
    assert "FAKETIME_DISABLE_SHM" in control_variables(variables, frozenset({"clock.skew"}))

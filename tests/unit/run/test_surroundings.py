"""Clocks and nuisances of an environment: what its services are given, what must be found in them, what is kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cleanroom.engine.clock import Reading
from cleanroom.engine.ports import ContainerState
from cleanroom.engine.service import Placement
from cleanroom.errors import CapabilityError, InconclusiveError
from cleanroom.plan.build import build_plan
from cleanroom.quantity import Duration
from cleanroom.run import surroundings as module
from cleanroom.run.record import ClockRecord
from cleanroom.run.surroundings import Surroundings, clock_record
from cleanroom.spec.clock_setting import ClockAt, ClockOffset, ClockRate, FrozenClock, RealClock
from cleanroom.spec.determinism import Determinism
from cleanroom.spec.fault import AtManual, Fault
from cleanroom.spec.instant import Instant
from cleanroom.spec.scenario import Scenario
from cleanroom.spec.service import Service
from cleanroom.spec.source import Position
from cleanroom.spec.suite import Suite
from cleanroom.spec.target import Target
from tests.fakes import FakeClock

SECOND = 10**9
AT = Position("shop.cleanroom.yaml", 3, 1)
AHEAD = ClockOffset(offset=Duration(3600 * SECOND))
PLACE = Placement(container="clr-a", image="api:1", network="n", address="10.213.0.2")
KATHMANDU = "Asia/Kathmandu"


def service(name: str = "api", **fields: Any) -> Service:
    return Service(name=name, image=f"{name}:1", at=AT, **fields)


class World:
    """What an environment's surroundings ask of a run."""

    def __init__(self, folder: Path) -> None:
        self.controls = folder / "controls"
        self.run_id = "run"
        self.clock = FakeClock()
        self.engine = self
        self.status = "running"

    def inspect(self, container: str) -> ContainerState:
        return SimpleNamespace(id=container, status=self.status)  # type: ignore[return-value]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    kit = tmp_path / "kit"
    kit.mkdir()
    (kit / "libfaketime.so.1").touch()
    monkeypatch.setattr("cleanroom.engine.clock.KIT", kit)
    zones = tmp_path / "zones"
    for zone in (KATHMANDU, "Pacific/Auckland"):
        (zones / zone).parent.mkdir(parents=True, exist_ok=True)
        (zones / zone).write_bytes(f"TZif of {zone}".encode())
    monkeypatch.setattr(module, "_ZONES", zones)
    monkeypatch.setattr(module, "LOCALES", tmp_path / "locales")
    return World(tmp_path)


def around(world: World, *services: Service, iteration: int = 0, vary: tuple[str, ...] = (), **fields: Any) -> Any:
    determinism = Determinism(iterations=len(vary) + 1, vary=vary, **fields)  # type: ignore[arg-type]
    suite = Suite(
        name="shop",
        file=AT.file,
        at=AT,
        services=services or (service(),),
        scenarios=(Scenario(name="order", steps=(), at=AT),),
        determinism=determinism,
    )
    plan = build_plan(suite, seed=42, iterations=len(vary) + 1)
    return Surroundings(world, plan, (iteration, "order"), f"order-{iteration}/x")  # type: ignore[arg-type]


# What a service is given


def test_a_service_with_nothing_special_keeps_what_it_has(world: World):
    found = around(world).placed(service(), PLACE)
    assert (found.overrides, found.mounts, dict(found.files), found.cpuset) == ({}, (), {}, "")
    assert found.hostname == "api"


def test_each_altered_clock_has_a_control_file_from_the_environments_beginning(world: World):
    all_of_them = (service(clock=AHEAD), service("db", clock=FrozenClock()), service("web"))
    ours = around(world, *all_of_them)
    ours.begin()
    written = {path.parent.name: path.read_text(encoding="ascii") for path in world.controls.rglob("clock")}
    assert written == {"api": "+3600.000000000\n", "db": "1000\n"}
    placed = {one.name: ours.placed(one, PLACE) for one in all_of_them}
    assert [mount.source for mount in placed["api"].mounts][1] == str(world.controls / "run-order-0_x" / "api")
    assert placed["db"].overrides["FAKETIME_TIMESTAMP_FILE"] == "/.cleanroom/clock-control/clock"
    assert placed["web"].mounts == ()
    ours.end()
    assert list(world.controls.rglob("*")) == []
    ours.end()


def test_a_service_whose_clock_faults_will_alter_is_prepared_and_no_other_is(world: World):
    skew = Fault(
        id="late", kind="clock.rate", target=Target(service="api"), moment=AtManual(),
        parameters={"rate": 2.0},
    )  # fmt: skip
    services = (service(), service("db"))
    suite = Suite(
        name="shop", file=AT.file, at=AT, services=services, determinism=Determinism(iterations=1),
        scenarios=(Scenario(name="order", steps=(), at=AT, chaos=(skew,)), Scenario(name="calm", steps=(), at=AT)),
    )  # fmt: skip
    plan = build_plan(suite, seed=42, iterations=1)
    ours = Surroundings(world, plan, (0, "order"), "order-0/x")  # type: ignore[arg-type]
    ours.begin()
    assert (world.controls / "run-order-0_x" / "api" / "clock").read_text(encoding="ascii") == "+0.000000000\n"
    assert not (world.controls / "run-order-0_x" / "db").exists()
    placed = ours.placed(services[0], PLACE)
    assert placed.overrides["FAKETIME_NO_CACHE"] == "1"
    assert "FAKETIME_DISABLE_SHM" not in placed.overrides
    assert ours.placed(services[1], PLACE).overrides == {}
    assert list(ours.controls) == ["api"]
    ours.end()
    assert dict(Surroundings(world, plan, (0, "calm"), "calm-0/x").controls) == {}  # type: ignore[arg-type]
    assert list(Surroundings(world, plan, (0, "suite"), "suite-0/x").controls) == ["api"]  # type: ignore[arg-type]


def test_the_clock_of_everybody_is_that_of_who_has_none_of_their_own(world: World):
    services = (service(), service("db", clock=AHEAD), service("web", clock=RealClock()))
    ours = around(world, *services, freeze_clock=Instant(5000 * SECOND))
    ours.begin()
    written = {path.parent.name for path in world.controls.rglob("clock")}
    assert written == {"api", "db"}
    assert (world.controls / "run-order-0_x" / "api" / "clock").read_text(encoding="ascii").startswith("+3999.")


def test_a_service_has_its_own_zone_with_its_data(world: World):
    found = around(world).placed(service(timezone=KATHMANDU), PLACE)
    assert found.overrides == {"TZ": KATHMANDU}
    assert dict(found.files) == {f"/usr/share/zoneinfo/{KATHMANDU}": b"TZif of Asia/Kathmandu"}


def test_a_zone_that_the_spec_sets_itself_is_left(world: World):
    assert around(world).placed(service(timezone=KATHMANDU, environment={"TZ": "Asia/Tokyo"}), PLACE).overrides == {}


def test_a_zone_that_nobody_knows_is_told(world: World):
    with pytest.raises(CapabilityError, match="the time zone Mars/Olympus is not known here"):
        around(world).placed(service(timezone="Mars/Olympus"), PLACE)


# What varies


def test_the_control_varies_nothing_and_a_later_iteration_one_thing(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("cleanroom.plan.surroundings.ZONES", (KATHMANDU,))
    for iteration, zone in ((0, None), (1, KATHMANDU)):
        ours = around(world, iteration=iteration, vary=("timezone",))
        assert ours.placed(service(environment={"TZ": "UTC"}), PLACE).overrides.get("TZ") == zone


def test_a_varied_locale_comes_with_its_data_where_the_kit_has_it(world: World):
    ours = around(world, iteration=1, vary=("locale",))
    found = ours.placed(service(), PLACE)
    assert found.overrides == {"LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8"}
    assert found.mounts == ()
    (module.LOCALES / "tr_TR.utf8").mkdir(parents=True)
    assert [mount.target for mount in ours.placed(service(), PLACE).mounts] == ["/usr/lib/locale/tr_TR.utf8"]


def test_a_varied_host_name_wins_over_the_specs(world: World):
    ours = around(world, iteration=1, vary=("hostname",))
    assert ours.placed(service(hostname="shop"), PLACE).hostname.startswith("h")
    assert ours.hostname(service(hostname="shop")) != "shop"
    assert around(world, vary=("hostname",)).hostname(service(hostname="shop")) == "shop"


def test_one_of_the_cpus_is_left(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module.os, "sched_getaffinity", lambda _pid: {3, 5})
    assert around(world, iteration=1, vary=("cpus",)).placed(service(), PLACE).cpuset in ("3", "5")
    assert around(world, vary=("cpus",)).placed(service(), PLACE).cpuset == ""


def test_with_one_cpu_none_can_be_taken(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module.os, "sched_getaffinity", lambda _pid: {3})
    with pytest.raises(InconclusiveError, match="this machine has one CPU"):
        around(world, iteration=1, vary=("cpus",)).placed(service(), PLACE)


# What is measured

READING = Reading(
    wall_ns=1, offset_ns=3600 * SECOND, slack_ns=7, rate=(0.9, 1.2), frozen=False, monotonic=True
)  # fmt: skip
STARTED = {"api": SimpleNamespace(container="c1")}


def looks(monkeypatch: pytest.MonkeyPatch, **found: str) -> None:
    seen = {"hostname": "api", "timezone": "UTC", "locale": "", "cpus": "2", "started_at": "t", **found}
    monkeypatch.setattr(module, "surroundings", lambda *_args, **_options: seen)


def raises(message: str) -> Callable[..., Any]:
    def act(*_: Any, **__: Any) -> Any:
        raise InconclusiveError(message, remedy="leave it")

    return act


def test_a_clock_is_measured_and_kept(world: World, monkeypatch: pytest.MonkeyPatch):
    asked = []
    monkeypatch.setattr(module, "prove", lambda *args: asked.append(args[1:4]) or READING)
    ours = around(world, service(clock=AHEAD))
    ours.begin()
    ours.prove(STARTED)
    assert [(container, setting) for container, setting, _ in asked] == [("c1", AHEAD)]
    assert ours.clocks["api"].offset_ns == 3600 * SECOND
    assert ours.found == {}, "nobody looks at what does not vary"


def test_nothing_is_measured_where_nothing_is_altered(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "prove", raises("nobody is to ask"))
    monkeypatch.setattr(module, "surroundings", raises("nobody is to ask"))
    ours = around(world)
    ours.prove(STARTED)
    assert (ours.clocks, ours.found) == ({}, {})


def test_a_clock_that_cannot_be_proven_is_told_by_service_and_place(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "prove", raises("it is linked statically"))
    with pytest.raises(InconclusiveError) as caught:
        around(world, service(clock=AHEAD)).prove(STARTED)
    assert caught.value.message == "shop.cleanroom.yaml:3:1: service api: it is linked statically"
    assert caught.value.remedy == "leave it"


def test_what_varies_is_looked_at_in_the_control_too(world: World, monkeypatch: pytest.MonkeyPatch):
    looks(monkeypatch)
    ours = around(world, vary=("hostname",))
    ours.prove(STARTED)
    assert ours.found["api"]["hostname"] == "api"


def test_a_zone_that_did_not_come_about_is_told(world: World, monkeypatch: pytest.MonkeyPatch):
    looks(monkeypatch, timezone="UTC")
    with pytest.raises(InconclusiveError, match=f"its time zone is UTC, and should be {KATHMANDU}"):
        around(world, service(timezone=KATHMANDU)).prove(STARTED)
    monkeypatch.setattr("cleanroom.plan.surroundings.ZONES", (KATHMANDU,))
    with pytest.raises(InconclusiveError, match="its time zone is UTC"):
        around(world, service(environment={"TZ": "UTC"}), iteration=1, vary=("timezone",)).prove(STARTED)
    looks(monkeypatch, timezone=KATHMANDU)
    around(world, service(timezone=KATHMANDU)).prove(STARTED)


def test_a_service_that_has_ended_by_then_is_left_out(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "surroundings", raises("it has ended"))
    ours = around(world, vary=("hostname",))
    with pytest.raises(InconclusiveError, match="service api: it has ended"):
        ours.prove(STARTED)
    world.status = "exited"
    ours.prove(STARTED)
    assert ours.found == {}


@pytest.mark.parametrize(
    ("setting", "kind", "asked"),
    [
        (FrozenClock(), "frozen", "frozen"),
        (ClockAt(at=Instant(0)), "at", "at 1970-01-01T00:00:00Z"),
        (AHEAD, "offset", "offset 3600s"),
        (ClockRate(rate=2.0), "rate", "rate 2"),
    ],
)
def test_what_is_kept_of_a_clock(setting: Any, kind: Any, asked: str):
    assert clock_record(setting, READING) == ClockRecord(
        setting=kind, asked=asked, offset_ns=3600 * SECOND, slack_ns=7, rate=1.05
    )


def test_a_clock_that_stands_has_no_rate_and_the_machines_no_record():
    frozen = Reading(wall_ns=1, offset_ns=0, slack_ns=0, rate=(0.0, 0.0), frozen=True, monotonic=True)
    assert clock_record(FrozenClock(), frozen).rate == 0.0
    with pytest.raises(ValueError, match="no record"):
        clock_record(RealClock(), frozen)

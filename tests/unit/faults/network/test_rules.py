"""What faults by rules come to as nftables, and what their evidence takes for proof."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import pytest

from cleanroom.errors import CapabilityError, CleanroomError, EngineError
from cleanroom.faults.base import FaultContext
from cleanroom.faults.network import connection_limit, ruled
from cleanroom.faults.network.blackhole import open_blackhole, rule_blackhole
from cleanroom.faults.network.connection_limit import open_limit, rule_limit
from cleanroom.faults.network.ground import RUNNER, Ground, Stand, Way, members
from cleanroom.faults.network.partition import lost_pairs, open_partition, rule_partition
from cleanroom.faults.network.refuse import open_refuse, rule_refuse
from cleanroom.faults.network.ruled import RuleFault, Ruling
from cleanroom.faults.traffic.table import render, table_name
from cleanroom.network.contact import Contact
from cleanroom.plan.model import FaultEvent
from cleanroom.spec.shapes.chaos import defaults_of
from cleanroom.spec.shapes.fault_table import FAULTS
from tests.unit.faults.scenes import Engine, Time, context, event

RULES = {
    "network.blackhole": rule_blackhole, "network.refuse": rule_refuse, "network.partition": rule_partition,
    "network.connection_limit": rule_limit,
}  # fmt: skip
OPEN = {
    "network.blackhole": open_blackhole, "network.refuse": open_refuse, "network.partition": open_partition,
    "network.connection_limit": open_limit,
}  # fmt: skip


class Handle:
    def __init__(self, world: World) -> None:
        self.world = world

    def do(self, function):
        return function()

    def close(self) -> None:
        self.world.closed += 1


@dataclass
class World:
    """Who answers, what the rules do, and what was put up and taken down."""

    engine: Engine
    context: FaultContext
    tcp: tuple[int, ...] = (8080, 9000)
    udp: tuple[int, ...] = (9001,)
    powerless: bool = False
    """The rules are there, and nothing happens."""
    uncounted: bool = False
    dead: bool = False
    refusing: str = ""
    lapse: str = ""
    stuck: tuple[str, ...] = ()
    closed: int = 0
    up: dict[str, str] = field(default_factory=dict)

    def ground(self) -> Ground:
        return Ground(
            {
                name: Stand(container, self.engine.inspect(name), Handle(self), self.tcp, self.udp)  # type: ignore[arg-type]
                for name, container in self.context.containers.items()
            }
        )

    def ask(self, _: Ground, ways: Iterable[Way], *__: object) -> dict[Way, Contact]:
        found: dict[Way, Contact] = {}
        for way in ways:
            struck = bool(self.up) and not self.powerless
            kinds: dict[str, Contact] = {"lost": "silent", "refused": "refused", "passes": "silent", "free": "open"}
            found[way] = "silent" if self.dead else kinds[way.want] if struck else "open"
        return found


class Table:
    world: World

    def __init__(self, handle: Handle, name: str, script: str) -> None:
        self.world = handle.world
        self.service = name + script
        self.counted = 0
        self.script = script
        self.lapses: list[str] = []

    def apply(self) -> None:
        if self.world.refusing:
            raise CapabilityError(self.world.refusing)
        self.world.up[self.service] = self.script

    def counts(self) -> dict[str, int]:
        self.counted += not self.world.uncounted
        names = [line.split()[1] for line in self.script.splitlines() if line.strip().startswith("counter ")]
        return dict.fromkeys(names, self.counted)

    def remove(self) -> None:
        self.world.up.pop(self.service, None)
        if self.world.lapse:
            self.lapses.append(self.world.lapse)

    def leftovers(self) -> tuple[str, ...]:
        return self.world.stuck


@pytest.fixture
def world(monkeypatch) -> World:
    engine = Engine(Time(), "api", "db", "web")
    made = World(engine, context(engine))
    monkeypatch.setattr(ruled, "open_ground", lambda *_: made.ground())
    monkeypatch.setattr(ruled, "Table", Table)
    monkeypatch.setattr(Ground, "ask", lambda *call: made.ask(*call))  # noqa: PLW0108 - a method of grounds
    return made


def strike(kind: str, *targets: str, parameters: dict[str, object] | None = None, **options: object) -> FaultEvent:
    options.setdefault("direction", FAULTS[kind].direction)
    values = {**defaults_of(kind), **(parameters or {})}
    return event(kind, *(targets or options.get("between", ())), parameters=values, **options)  # type: ignore[misc]


def ruling(world: World, struck: FaultEvent) -> Ruling:
    return RULES[struck.fault.kind](struck, world.context, world.ground())


CASES = {
    "blackhole": strike("network.blackhole", "db"),
    "blackhole-both": strike("network.blackhole", "db", direction="both", ports=(5432, 5433)),
    "blackhole-egress-udp": strike("network.blackhole", "db", direction="egress", protocol="udp"),
    "blackhole-pair": strike("network.blackhole", between=("api", "db"), ports=(8080,), protocol="tcp"),
    "refuse": strike("network.refuse", "db"),
    "refuse-ports": strike("network.refuse", "db", ports=(8080,), protocol="tcp"),
    "refuse-egress": strike("network.refuse", "db", direction="egress", ports=(8080, 9000)),
    "partition": strike("network.partition", "db"),
    "partition-one-way": strike("network.partition", "db", parameters={"one_way": True}),
    "partition-ports": strike("network.partition", between=("api", "db"), ports=(8080,)),
    "limit": strike("network.connection_limit", "db", ports=(8080,), parameters={"max": 10}),
    "limit-egress": strike(
        "network.connection_limit", between=("api", "db"), direction="egress", parameters={"max": 0}
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_rules_of_a_fault(world, snapshot, case):
    found = ruling(world, CASES[case])
    texts = [f"# {name}\n{render('t', rules, found.sets)}" for name, rules in found.rules.items()]
    ways = [f"# {way.name} {way.want} {way.counter}" for way in found.ways]
    assert "\n".join((*texts, *ways)) == snapshot


PAIRS = [
    ({"between": ("api", "db")}, {}, {("api", "db"), ("db", "api")}),
    ({"between": ("api", "db")}, {"one_way": True}, {("api", "db")}),
    ({}, {"groups": (("api",), ("db", "web"))}, {("api", "db"), ("api", "web"), ("db", "api"), ("web", "api")}),
    ({}, {"groups": (("db", "web"), ("api",)), "one_way": True}, {("db", "api"), ("web", "api")}),
    ({"targets": ("db",)}, {}, {("db", "api"), ("db", "web"), ("api", "db"), ("web", "db")}),
    ({"targets": ("db",), "direction": "ingress"}, {}, {("api", "db"), ("web", "db")}),
    ({"targets": ("db", "web"), "direction": "egress"}, {},
     {("db", "api"), ("db", "web"), ("web", "api"), ("web", "db")}),
]  # fmt: skip


@pytest.mark.parametrize(("who", "parameters", "lost"), PAIRS)
def test_who_does_not_reach_whom(world, who, parameters, lost):
    options = dict(who)
    struck = strike("network.partition", *options.pop("targets", ()), parameters=parameters, **options)
    assert set(lost_pairs(struck, world.context)) == lost


def test_a_service_means_its_replicas():
    made = context(Engine(Time(), "db-1", "db-2", "db-x", "api")).containers
    assert members("db", made) == ("db-1", "db-2")
    assert members("api", made) == ("api",)


def test_a_table_is_named_so_that_it_is_known_whose_it_is():
    assert table_name("network.refuse", "slow-db_0", "ab" * 32) == "clr_refuse_slow_db_0_abababab"


@pytest.mark.parametrize("kind", ["network.blackhole", "network.refuse", "network.partition"])
def test_what_bites_is_proven_and_its_end_too(world, kind):
    fault = OPEN[kind](strike(kind, "db"), world.context)
    fault.inject()
    effect = fault.verify()
    assert effect.holds, effect
    assert effect.facts["affected"] == "db"
    assert "api" in str(effect.facts["unaffected"])
    fault.revert()
    fault.revert()
    reversal = fault.verify_reversal()
    assert (reversal.holds, reversal.lapsed, world.up) == (True, "", {})
    assert world.closed == 3
    recovery = fault.recovery()
    assert recovery is not None
    assert (recovery.strategy, recovery.success, world.engine.revived) == ("heal", True, ["db"])


@pytest.mark.parametrize("kind", ["network.blackhole", "network.refuse", "network.partition"])
@pytest.mark.parametrize(
    ("flaw", "why"), [("powerless", "is (still answered|not refused)"), ("uncounted", "no packet")]
)
def test_what_does_nothing_is_not_proven(world, kind, flaw, why):
    setattr(world, flaw, True)
    fault = OPEN[kind](strike(kind, "db"), world.context)
    fault.inject()
    effect = fault.verify()
    assert not effect.holds
    assert re.search(why, effect.reason), effect.reason


def test_packets_that_still_arrive_one_way_have_to_be_counted(world):
    fault = open_partition(strike("network.partition", "db", parameters={"one_way": True}), world.context)
    fault.inject()
    assert fault.verify().holds
    world.uncounted = True
    assert "api->db" in fault.verify().reason


@pytest.mark.parametrize(
    ("kind", "why"), [("network.blackhole", "does not answer"), ("network.refuse", "is silent already")]
)
def test_what_is_silent_before_cannot_be_struck(world, kind, why):
    world.dead = True
    fault = OPEN[kind](strike(kind, "db"), world.context)
    with pytest.raises(EngineError, match=why):
        fault.inject()
    fault.revert()
    assert fault.verify_reversal().holds
    assert fault.recovery() is None


def test_a_kernel_that_cannot_is_named(world):
    world.refusing = "backend nftables: no such thing"
    fault = open_refuse(strike("network.refuse", "db"), world.context)
    with pytest.raises(CapabilityError, match="no such thing"):
        fault.inject()
    fault.revert()
    assert fault.verify_reversal().holds


def test_what_is_left_behind_is_told(world):
    fault = open_refuse(strike("network.refuse", "db"), world.context)
    fault.inject()
    fault.revert()
    world.stuck = ("table inet t",)
    reversal = fault.verify_reversal()
    assert (reversal.holds, reversal.reason) == (False, "still there: db: table inet t")


@pytest.mark.parametrize("how", ["rules", "restart", "replacement"])
def test_an_effect_that_did_not_last_is_told(world, how):
    fault = open_refuse(strike("network.refuse", "db"), world.context)
    fault.inject()
    if how == "rules":
        world.lapse = "its rules were not there any more to be taken away"
    elif how == "restart":
        world.engine.time.seconds += 1
        world.engine.begin("db")
    else:
        world.context.containers["db"] = replace(world.context.containers["db"], id="new")
    fault.revert()
    words = {"rules": "not there", "restart": "restarted", "replacement": "another container took its place"}
    assert words[how] in fault.verify_reversal().lapsed


def test_where_nobody_listens_nothing_can_be_refused(world):
    fault = open_refuse(strike("network.refuse", "db", ports=(5432,)), world.context)
    with pytest.raises(EngineError, match="nobody in db listens on port 5432"):
        fault.inject()


def test_nobody_on_the_other_side_is_no_partition(world):
    struck = strike("network.partition", "api", "db", "web", parameters={"groups": (("api", "db", "web"), ("x",))})
    with pytest.raises(EngineError, match="nobody on the other side"):
        ruling(world, struck)


@pytest.mark.parametrize("kind", list(OPEN))
def test_only_their_one_rung_can_be_pinned(world, kind):
    with pytest.raises(CapabilityError, match="no backend 'rocket'"):
        OPEN[kind](strike(kind, "db", parameters={"max": 1}, backend="rocket"), world.context)


@pytest.mark.parametrize(("opened", "refused", "holds"), [(4, 3, True), (7, 0, False), (4, 0, False), (5, 2, False)])
def test_a_limit_is_proven_by_who_is_refused(world, monkeypatch, opened, refused, holds):
    monkeypatch.setattr(connection_limit, "open_at_once", lambda *_: (opened, refused))
    fault = open_limit(strike("network.connection_limit", "db", parameters={"max": 4}), world.context)
    fault.inject()
    effect = fault.verify()
    assert effect.holds is holds
    assert effect.facts[f"{RUNNER}->db:tcp/8080.opened"] == opened


def test_a_limit_that_cannot_be_proven_is_refused(world):
    with pytest.raises(CapabilityError, match="200 is the most"):
        open_limit(strike("network.connection_limit", "db", parameters={"max": 201}), world.context)
    open_limit(strike("network.connection_limit", "db", parameters={"max": 201}, verify=False), world.context)
    with pytest.raises(CapabilityError, match="udp has no connections"):
        open_limit(strike("network.connection_limit", "db", parameters={"max": 1}, protocol="udp"), world.context)


def test_every_table_is_taken_down_though_one_cannot(world, monkeypatch):
    fault = open_partition(strike("network.partition", between=("api", "db")), world.context)
    assert isinstance(fault, RuleFault)
    fault.inject()
    removed = Table.remove

    def remove(table: Table) -> None:
        removed(table)
        raise CleanroomError("nft is gone")

    monkeypatch.setattr(Table, "remove", remove)
    with pytest.raises(CleanroomError, match="nft is gone; nft is gone"):
        fault.revert()
    assert world.up == {}

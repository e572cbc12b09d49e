from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from dnslib import DNSRecord

from cleanroom.errors import CapabilityError, EngineError, NetworkError
from cleanroom.faults.base import FaultContext
from cleanroom.faults.dns import names
from cleanroom.faults.dns.names import NameTrouble, open_names, spared_name, struck_name
from cleanroom.network.name_fault import _OURS, NameRule, NameStrike, Reply
from cleanroom.quantity import Duration
from cleanroom.spec.shapes.chaos import defaults_of
from tests.unit.faults.scenes import Engine, Time, context, event

MS = 10**6
KNOWN = {"api": "NOERROR 10.0.0.10", "db": "NOERROR 10.0.0.11"}
TOLD = {"nxdomain": "NXDOMAIN", "servfail": "SERVFAIL", "timeout": "nothing", "spoof": "NOERROR 192.0.2.7"}
PARAMETERS = {"delay": {"delay": Duration(300 * MS)}, "spoof": {"address": "192.0.2.7"}}
KINDS = ("nxdomain", "servfail", "timeout", "delay", "spoof")


class Inside:
    """The namespace of the one target, which is api."""

    inside = False

    def do(self, function):
        Inside.inside = True
        try:
            return function()
        finally:
            Inside.inside = False

    def close(self) -> None:
        pass


@dataclass
class World:
    """A resolver that does what the test says."""

    context: FaultContext
    strikes_now: tuple[NameStrike, ...] = ()
    powerless: bool = False
    careless: bool = False
    """It strikes whatever is asked."""
    everybody: bool = False
    """It strikes whoever asks."""
    stuck: bool = False
    dead: bool = False
    gone: bool = False
    asked: list[str] = field(default_factory=list)

    def strike_names(self, slot: int, rule: NameRule) -> NameStrike:
        assert (slot, rule.client) == (0, "10.0.0.10")
        made = NameStrike(rule)
        self.strikes_now += (made,)
        return made

    def calm_names(self, _: int, strike: NameStrike) -> None:
        if not self.stuck:
            self.strikes_now = tuple(one for one in self.strikes_now if one is not strike)

    def strikes(self, _: int) -> tuple[NameStrike, ...]:
        return self.strikes_now

    def ask(self, server: str, name: str, _: Duration, *, index: int = 0) -> Reply:
        assert server == "10.0.0.1"
        if self.gone:
            raise NetworkError("there is no way")
        self.asked.append(name)
        known = Reply(words="nothing" if self.dead else KNOWN.get(name, "NXDOMAIN"), elapsed_ns=MS)
        for strike in () if self.powerless else self.strikes_now:
            meant = strike.rule.matches(name) and strike.rule.struck(_OURS + index)
            if (meant or self.careless) and (Inside.inside or self.everybody):
                late = strike.rule.kind == "delay"
                return Reply(
                    words=known.words if late else TOLD[strike.rule.kind], elapsed_ns=strike.rule.delay.ns + MS
                )
        return known


@pytest.fixture
def world(monkeypatch) -> World:
    made = World(context(Engine(Time(), "api", "db")))
    made.context = replace(made.context, names=made)
    monkeypatch.setattr(names, "Handle", lambda _: Inside())
    monkeypatch.setattr(names, "visible_pid", lambda state: state.pid)
    monkeypatch.setattr(names, "ask_name", made.ask)
    return made


def opened(world: World, kind: str, **parameters: object) -> NameTrouble:
    name = f"dns.{kind}"
    values = {**defaults_of(name), "names": ("D*",), **PARAMETERS.get(kind, {}), **parameters}
    return open_names(event(name, "api", parameters=values), world.context)


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_target_is_told_is_proven_and_its_end_too(world, kind):
    fault = opened(world, kind)
    fault.inject()
    effect = fault.verify()
    assert effect.holds, effect
    assert (effect.facts["asked"], effect.facts["spared"], effect.facts["runner"]) == ("db", "api", KNOWN["db"])
    assert effect.facts["api.spared"] == KNOWN["api"]
    (strike,) = world.strikes_now
    strike.decide(DNSRecord.question("db"))
    fault.revert()
    fault.revert()
    reversal = fault.verify_reversal()
    assert (reversal.lapsed, reversal.facts["api.questions_struck"]) == ("", 1)
    assert (reversal.holds, reversal.facts["api.after"], world.strikes_now) == (True, KNOWN["db"], ())
    assert fault.recovery() is None


@pytest.mark.parametrize("kind", KINDS)
def test_a_resolver_that_answers_as_ever_is_no_evidence(world, kind):
    world.powerless = True
    fault = opened(world, kind)
    fault.inject()
    effect = fault.verify()
    assert (effect.holds, effect.reason) == (False, "api is told NOERROR 10.0.0.11 for db after 1 ms")


@pytest.mark.parametrize(
    ("flaw", "why"),
    [("careless", "for api, which is not meant"), ("everybody", "the runner is told NXDOMAIN for db as well")],
)
def test_a_fault_that_strikes_others_is_no_evidence(world, flaw, why):
    setattr(world, flaw, True)
    fault = opened(world, "nxdomain")
    fault.inject()
    effect = fault.verify()
    assert not effect.holds
    assert why in effect.reason


def test_what_the_seed_does_not_strike_is_answered_as_ever(world):
    fault = opened(world, "nxdomain", percent=50.0)
    fault.inject()
    assert fault.verify().facts["api.not_struck"] == KNOWN["db"]
    world.careless = True
    assert "where the seed strikes nothing" in fault.verify().reason


def test_a_share_that_strikes_none_of_many_is_no_evidence(world):
    fault = opened(world, "servfail", percent=1e-12)
    fault.inject()
    assert fault.verify().reason == "api has no question that 1e-12 % strike"


@pytest.mark.parametrize(
    ("kind", "parameters", "why"),
    [
        ("nxdomain", {"names": ("*.example.com",)}, "is told NXDOMAIN for cleanroom.example.com already"),
        ("spoof", {"address": "10.0.0.11"}, "is told NOERROR 10.0.0.11 for db already"),
    ],
)
def test_what_is_so_already_cannot_be_seen(world, kind, parameters, why):
    with pytest.raises(EngineError, match=why):
        opened(world, kind, **parameters).inject()


def test_a_resolver_that_is_silent_already_cannot_be_struck(world):
    world.dead = True
    with pytest.raises(EngineError, match="has no answer for db already"):
        opened(world, "timeout").inject()


def test_a_service_that_never_asked_has_met_no_fault(world):
    fault = opened(world, "nxdomain")
    fault.inject()
    assert fault.verify().holds
    fault.revert()
    reversal = fault.verify_reversal()
    assert reversal.holds
    assert reversal.lapsed == "api: no question of its own was struck (0 matched): it may know the names from before"


def test_a_rule_that_went_before_its_time_was_not_in_force(world):
    fault = opened(world, "nxdomain")
    fault.inject()
    world.strikes_now[0].decide(DNSRecord.question("db"))
    world.strikes_now = ()
    fault.revert()
    fault.revert()
    assert fault.verify_reversal().lapsed == "api: its rule was not there any more to be taken away"


def test_a_rule_that_stays_is_told(world):
    fault = opened(world, "nxdomain")
    fault.inject()
    world.stuck = True
    fault.revert()
    assert fault.verify_reversal().reason == "still there: a rule for api"


def test_a_target_that_has_died_meanwhile_keeps_nothing(world):
    fault = opened(world, "nxdomain")
    fault.inject()
    fault.revert()
    world.gone = True
    reversal = fault.verify_reversal()
    assert (reversal.holds, reversal.facts["api.after"]) == (True, "there is no way")


@pytest.mark.parametrize(
    ("globs", "struck", "spared"),
    [
        (("*",), "api", ""),
        (("db",), "db", "api"),
        (("*.example.com",), "cleanroom.example.com", "api"),
        (("?pi", "db"), "api", "cleanroom-spared.invalid"),
    ],
)
def test_which_names_are_asked(globs, struck, spared):
    assert (struck_name(("db", "api"), globs), spared_name(("db", "api"), globs)) == (struck, spared)


def test_without_a_resolver_of_ours_there_is_no_fault_of_it(world):
    with pytest.raises(CapabilityError, match="there is none here"):
        opened(World(context(Engine(Time(), "api"))), "nxdomain")
    with pytest.raises(CapabilityError, match="no backend 'nftables'"):
        open_names(
            event("dns.timeout", "api", parameters=defaults_of("dns.timeout"), backend="nftables"), world.context
        )

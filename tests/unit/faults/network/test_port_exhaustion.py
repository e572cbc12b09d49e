from __future__ import annotations

import pytest

from cleanroom.errors import CapabilityError, EngineError
from cleanroom.faults.network import port_exhaustion
from cleanroom.faults.network.port_exhaustion import open_exhaustion, window
from tests.unit.faults.scenes import Engine, Time, context, event

BEFORE = {"ip_local_port_range": "32768\t60999", "ip_local_reserved_ports": "40000"}


class World:
    """The settings of the one namespace there is."""

    def __init__(self) -> None:
        self.settings = dict(BEFORE)
        self.fails = ""
        self.begun = (3, "EADDRNOTAVAIL")

    def do(self, function):
        return function()

    def close(self) -> None:
        pass

    def write(self, _: object, values: dict[str, str]) -> None:
        if self.fails:
            raise EngineError(self.fails)
        self.settings |= values


@pytest.fixture
def world(monkeypatch) -> World:
    made = World()
    monkeypatch.setattr(port_exhaustion, "Handle", lambda _: made)
    monkeypatch.setattr(port_exhaustion, "visible_pid", lambda state: state.pid)
    monkeypatch.setattr(port_exhaustion, "used_ports", lambda _: frozenset({60999}))
    monkeypatch.setattr(port_exhaustion, "_read", lambda: dict(made.settings))
    monkeypatch.setattr(port_exhaustion, "_write_in", made.write)
    monkeypatch.setattr(port_exhaustion, "_claims", set())
    monkeypatch.setattr(port_exhaustion, "begin", lambda _: made.begun)
    return made


def opened(engine: Engine | None = None, leave: int = 3, **options: object):
    struck = event("network.port_exhaustion", "db", parameters={"leave": leave}, **options)
    return open_exhaustion(struck, context(engine or Engine(Time(), "db")))


@pytest.mark.parametrize(
    ("leave", "range_", "reserved"),
    [(0, "99 99", "99"), (1, "99 99", ""), (2, "98 99", ""), (3, "96 99", "96"), (4, "96 99", "")],
)
def test_the_range_has_so_many_ports_left(leave, range_, reserved):
    assert window(frozenset(), 10, 99, leave) == (range_, reserved)


def test_ports_in_use_are_not_among_those_that_are_left():
    assert window(frozenset({99, 96}), 10, 99, 2) == ("97 98", "")
    with pytest.raises(EngineError, match="no 4 free ports in a row from 10 to 14"):
        window(frozenset({12}), 10, 14, 4)


def test_the_settings_are_put_back_as_they_were(world):
    fault = opened()
    fault.inject()
    assert world.settings == {"ip_local_port_range": "60995 60998", "ip_local_reserved_ports": "40000,60995"}
    effect = fault.verify()
    assert effect.holds
    assert (effect.facts["db.begun"], effect.facts["db.then"]) == (3, "EADDRNOTAVAIL")
    fault.revert()
    fault.revert()
    assert world.settings == BEFORE
    reversal = fault.verify_reversal()
    assert (reversal.holds, reversal.lapsed) == (True, "")
    assert fault.recovery() is None


def test_one_connection_too_many_is_no_evidence(world):
    world.begun = (4, "")
    fault = opened()
    fault.inject()
    effect = fault.verify()
    assert (effect.holds, effect.reason) == (False, "db could begin 4 connections (and more)")


def test_settings_that_stay_are_told(world):
    fault = opened()
    fault.inject()
    world.fails = "read-only"
    with pytest.raises(EngineError, match="read-only"):
        fault.revert()
    assert "ip_local_port_range is '60995 60998'" in fault.verify_reversal().reason
    world.fails = ""
    fault.revert()
    assert fault.verify_reversal().holds


@pytest.mark.usefixtures("world")
def test_a_restart_takes_the_effect_away():
    engine = Engine(Time(), "db")
    fault = opened(engine)
    fault.inject()
    engine.time.seconds += 1
    engine.begin("db")
    fault.revert()
    assert "restarted" in fault.verify_reversal().lapsed


def test_a_second_one_does_not_take_the_settings_of_the_first_for_the_service_own(world):
    first, second = opened(), opened(leave=1)
    first.inject()
    with pytest.raises(CapabilityError, match="has taken the ports of db already"):
        second.inject()
    first.revert()
    second.revert()
    assert world.settings == BEFORE
    assert first.verify_reversal().lapsed == ""
    third = opened()
    third.inject()
    third.revert()
    assert world.settings == BEFORE


def test_settings_that_somebody_else_has_changed_were_not_in_force(world):
    fault = opened()
    fault.inject()
    world.settings |= BEFORE
    fault.revert()
    assert "db: somebody has changed the settings" in fault.verify_reversal().lapsed


def test_what_cannot_be_proven_is_refused():
    with pytest.raises(CapabilityError, match="500 is the most"):
        opened(leave=501)
    opened(leave=501, verify=False)
    with pytest.raises(CapabilityError, match="no backend 'nftables'"):
        opened(backend="nftables")

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from cleanroom.engine.ports import Attachment
from cleanroom.errors import CapabilityError, EngineError
from cleanroom.faults.base import FaultContext
from cleanroom.faults.network import disconnect
from cleanroom.faults.network.disconnect import Disconnect, open_disconnect
from cleanroom.faults.network.ground import Ground, Stand
from tests.unit.faults.scenes import Engine, Time, context, event

PLACE = Attachment(network="n", address="10.0.0.11", mac="02:42:0a:00:00:0b", aliases=("db",))


class Networks(Engine):
    """An engine that knows who is on a network."""

    def __init__(self) -> None:
        super().__init__(Time(), "api", "db")
        self.places = {"db": (PLACE,), "api": (Attachment(network="n", address="10.0.0.10"),)}
        self.returns = PLACE
        self.powerless = False
        self.refuses = ""

    def attachments(self, container: str) -> tuple[Attachment, ...]:
        return self.places[container]

    def disconnect(self, container: str, network: str) -> None:
        self.places[container] = tuple(
            place for place in self.places[container] if place.network != network or self.powerless
        )

    def connect(self, container: str, attachment: Attachment) -> None:
        if self.refuses:
            raise EngineError(self.refuses)
        assert attachment == PLACE
        self.places[container] = (self.returns,)


@dataclass
class World:
    engine: Networks
    context: FaultContext
    named: list[str] = field(default_factory=list)
    answers: bool = True

    def do(self, function):
        return function()

    def close(self) -> None:
        pass


@pytest.fixture
def world(monkeypatch) -> World:
    engine = Networks()
    made = World(engine, context(engine))

    def ground(*_: object) -> Ground:
        return Ground(
            {
                name: Stand(container, engine.inspect(name), made, (8080,), ())  # type: ignore[arg-type]
                for name, container in made.context.containers.items()
            }
        )

    def ask(_: Ground, ways, *__):
        return {way: "open" if made.answers and engine.places[way.goal] else "silent" for way in ways}

    monkeypatch.setattr(disconnect, "open_ground", ground)
    monkeypatch.setattr(Ground, "ask", ask)
    monkeypatch.setattr(disconnect, "_devices", lambda: {p.address: "eth0" for p in engine.places["db"]})
    monkeypatch.setattr(disconnect, "_rename", lambda hit, _: made.named.append(hit.devices[PLACE.address]))
    monkeypatch.setattr(disconnect, "_route", lambda: "default via 10.0.0.1")
    return made


def injected(world: World) -> Disconnect:
    fault = open_disconnect(event("network.disconnect", "db"), world.context)
    fault.inject()
    return fault


def test_a_container_is_put_back_where_it_was(world):
    fault = injected(world)
    effect = fault.verify()
    assert effect.holds
    assert (effect.facts["db.address"], effect.facts["db.networks_during"]) == ("10.0.0.11", "")
    assert effect.facts["unaffected"] == "runner->api:tcp/8080"
    fault.revert()
    fault.revert()
    assert (world.engine.places["db"], world.named) == ((PLACE,), ["eth0"])
    reversal = fault.verify_reversal()
    assert (reversal.holds, reversal.lapsed) == (True, "")
    recovery = fault.recovery()
    assert recovery is not None
    assert (recovery.strategy, recovery.success) == ("heal", True)


def test_a_container_that_stays_on_the_network_is_no_evidence(world):
    world.engine.powerless = True
    effect = injected(world).verify()
    assert (effect.holds, effect.reason) == (False, "db is still on a network; db still answers")


def test_a_container_that_does_not_answer_cannot_be_taken_off(world):
    world.answers = False
    with pytest.raises(EngineError, match="db does not answer"):
        injected(world)


def test_another_address_is_not_where_it_was(world):
    fault = injected(world)
    world.engine.returns = Attachment(network="n", address="10.0.0.77", mac="02:42:0a:00:00:4d")
    fault.revert()
    reversal = fault.verify_reversal()
    assert not reversal.holds
    assert "was at 10.0.0.11 (02:42:0a:00:00:0b) on n, and is at 10.0.0.77" in reversal.reason


def test_a_container_that_cannot_be_put_back_is_told_and_tried_again(world):
    fault = injected(world)
    world.engine.refuses = "no such network"
    with pytest.raises(EngineError, match="db: no such network"):
        fault.revert()
    assert "is at no network" in fault.verify_reversal().reason
    world.engine.refuses = ""
    fault.revert()
    assert fault.verify_reversal().holds


def test_a_restart_is_told(world):
    fault = injected(world)
    world.engine.time.seconds += 1
    world.engine.begin("db")
    fault.revert()
    assert "restarted" in fault.verify_reversal().lapsed


def test_only_the_engine_can_do_it(world):
    with pytest.raises(CapabilityError, match="no backend 'nftables'"):
        open_disconnect(event("network.disconnect", "db", backend="nftables"), world.context)

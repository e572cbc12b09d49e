"""`network.disconnect`: the engine takes the container off its networks, and puts it back where it was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from cleanroom.canonical import Json
from cleanroom.engine.ports import Attachment
from cleanroom.errors import CleanroomError, EngineError, NetworkError
from cleanroom.faults import needs
from cleanroom.faults.base import Evidence, FaultContext, Recovery
from cleanroom.faults.network.blackhole import bystanders
from cleanroom.faults.network.ground import RUNNER, Ground, Way, open_ground, port_of
from cleanroom.faults.recovery import recover
from cleanroom.faults.rung import Ladder, Rung, pinned
from cleanroom.faults.silence import Silence
from cleanroom.faults.victim import interrupted
from cleanroom.network.command import run
from cleanroom.network.contact import Contact
from cleanroom.plan.model import FaultEvent

BACKEND = "api"
_ANSWERS: tuple[Contact, ...] = ("open", "refused")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hit:
    """One target and where it was."""

    name: str
    container: str
    started_at: str
    before: tuple[Attachment, ...]
    devices: Mapping[str, str]
    """Address → interface."""
    route: str


class Disconnect:
    """One occurrence, on every target."""

    backend = BACKEND

    def __init__(self, event: FaultEvent, context: FaultContext) -> None:
        self._event = event
        self._context = context
        self._ground = Ground({})
        self._hits: list[_Hit] = []
        self._off: list[tuple[_Hit, Attachment]] = []
        self._ways: tuple[Way, ...] = ()
        self._free: tuple[Way, ...] = ()
        self._before: dict[Way, Contact] = {}
        self._silence = Silence()
        self._ended = 0.0
        self._recovery: Recovery | None = None

    def inject(self) -> None:
        """Remember where every target is, see that it answers, and take it off all its networks."""
        engine = self._context.engine
        self._ground = open_ground(engine, self._context.containers, self._event.targets)
        for name in self._event.targets:
            stand = self._ground[name]
            self._hits.append(
                _Hit(
                    name=name,
                    container=stand.state.id,
                    started_at=stand.state.started_at,
                    before=engine.attachments(stand.state.id),
                    devices=stand.handle.do(_devices),
                    route=stand.handle.do(_route),
                )
            )
        self._ways = tuple(self._way(hit.name) for hit in self._hits)
        self._free = tuple(way for way in bystanders(self._event, self._ground) if way.goal not in self._event.targets)
        self._before = self._ground.ask((*self._ways, *self._free))
        for way in self._ways:
            if self._before[way] not in _ANSWERS:
                raise EngineError(f"{way.goal} does not answer, so that it is off the network could not be seen")
        self._silence.begin(hit.container for hit in self._hits)
        for hit in self._hits:
            for attachment in hit.before:
                # Known before it is done: whatever goes wrong there, `revert` puts it back.
                self._off.append((hit, attachment))
                engine.disconnect(hit.container, attachment.network)

    def _way(self, name: str) -> Way:
        _, port = port_of(self._ground[name], self._event.fault)
        return Way(source=RUNNER, goal=name, protocol="tcp", port=port, want="lost")

    def verify(self) -> Evidence:
        """Hold when the engine knows of no network, no interface has the address, and nobody answers there."""
        during = self._ground.ask((*self._ways, *self._free))
        facts: dict[str, Json] = {}
        weak = []
        for hit, way in zip(self._hits, self._ways, strict=True):
            networks = ",".join(one.network for one in self._context.engine.attachments(hit.container))
            addresses = self._ground[hit.name].handle.do(_devices)
            facts |= {
                f"{hit.name}.address": ",".join(one.address for one in hit.before),
                f"{hit.name}.addresses_during": ",".join(addresses),
                f"{hit.name}.networks_during": networks,
                way.name: f"{self._before[way]}, then {during[way]}",
            }
            if networks or any(one.address in addresses for one in hit.before):
                weak.append(f"{hit.name} is still on a network")
            if during[way] in _ANSWERS:
                weak.append(f"{hit.name} still answers")
        facts["affected"] = ",".join(sorted(self._event.targets))
        facts["unaffected"] = ",".join(way.name for way in self._free if during[way] == self._before[way])
        return Evidence(holds=not weak, facts=facts, reason="; ".join(weak))

    def revert(self) -> None:
        """Put every target back at its address, whatever becomes of the others; safe to call twice."""
        failed = []
        still = []
        for hit, attachment in self._off:
            try:
                if attachment.network not in {a.network for a in self._context.engine.attachments(hit.container)}:
                    self._context.engine.connect(hit.container, attachment)
                    self._ground[hit.name].handle.do(partial(_rename, hit, attachment))
            except CleanroomError as err:
                still.append((hit, attachment))
                failed.append(f"{hit.name}: {err.message}")
        self._off = still
        if not still:
            self._silence.end()
        self._ended = self._ended or self._context.clock.monotonic()
        if failed:
            raise EngineError("; ".join(failed))

    def verify_reversal(self) -> Evidence:
        """Hold when every target is where it was: the same networks, addresses, names and way out."""
        if self._hits:
            # First of all: what is looked at afterwards takes its time, and nobody has to recover from that.
            self._recovery = recover(self._context, self._event.targets, self._ended, "heal")
        facts: dict[str, Json] = {}
        left, lapses = [], []
        for hit in self._hits:
            state = self._context.engine.inspect(hit.container)
            if words := interrupted(self._context, hit.name, hit.container, hit.started_at):
                lapses.append(f"{hit.name}: {words}")
            now = self._context.engine.attachments(hit.container)
            facts[f"{hit.name}.address_after"] = ",".join(one.address for one in now)
            running = state.status == "running" and state.started_at == hit.started_at
            if running and now != hit.before:
                left.append(f"{hit.name} was at {_words(hit.before)}, and is at {_words(now)}")
            if running and self._ground[hit.name].handle.do(_route) != hit.route:
                left.append(f"{hit.name} has another way out")
        facts |= {f"{way.name}.after": found for way, found in self._ground.ask(self._ways).items()}
        self._ground.close()
        return Evidence(holds=not left, facts=facts, reason="; ".join(left), lapsed="; ".join(lapses))

    def recovery(self) -> Recovery | None:
        """How long it took from the fault's end until every target was ready."""
        return self._recovery


def _words(attachments: tuple[Attachment, ...]) -> str:
    return ", ".join(f"{one.address} ({one.mac}) on {one.network}" for one in attachments) or "no network"


def _devices() -> dict[str, str]:
    found = json.loads(run(("ip", "-j", "-4", "address", "show")) or "[]")
    return {str(info["local"]): str(one["ifname"]) for one in found if one for info in one["addr_info"]}


def _rename(hit: _Hit, attachment: Attachment) -> None:
    """Give the interface the name it had: engines count on. Theirs stays beside it: they look it up by that."""
    was, now = hit.devices.get(attachment.address, ""), _devices().get(attachment.address, "")
    if was and now and was != now:
        try:
            run(("ip", "link", "set", "dev", now, "name", was))
        except NetworkError:
            # Before Linux 6.2 an interface has to be down for that, which takes its routes away.
            for words in (("down",), ("name", was)):
                run(("ip", "link", "set", "dev", now, *words))
            run(("ip", "link", "set", "dev", was, "up"))
            for line in hit.route.splitlines():
                run(("ip", "route", "replace", *line.split()))
        run(("ip", "link", "property", "add", "dev", was, "altname", now))


def _route() -> str:
    return run(("ip", "route", "show"))


def open_disconnect(event: FaultEvent, context: FaultContext) -> Disconnect:
    """Return the fault, not yet injected; raises `CapabilityError` for a backend that it does not have."""
    pinned(event, BACKEND)
    return Disconnect(event, context)


LADDER = Ladder(
    kind="network.disconnect",
    rungs=(
        Rung(
            name=BACKEND,
            mechanism="the engine takes the container off its networks, and puts it back at the same addresses",
            needs=(needs.ENGINE,),
            proof="no network and no address inside, and a contact of ours that gets no answer",
        ),
    ),
    open=open_disconnect,
)

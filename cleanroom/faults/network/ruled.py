"""Faults by rules: what goes certain ways is dropped or refused, which counters and our own contacts prove."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from cleanroom.canonical import Json
from cleanroom.errors import CleanroomError, EngineError, NetworkError
from cleanroom.faults import needs
from cleanroom.faults.base import Evidence, FaultContext, Recovery
from cleanroom.faults.network.ground import Ground, Way, open_ground
from cleanroom.faults.recovery import recover
from cleanroom.faults.rung import Rung
from cleanroom.faults.silence import Silence
from cleanroom.faults.traffic.table import BACKEND, Rule, Table, identifier, render, table_name
from cleanroom.faults.victim import interrupted
from cleanroom.network.contact import Contact
from cleanroom.plan.model import FaultEvent

_ANSWERS: tuple[Contact, ...] = ("open", "refused")
_SILENCE: tuple[Contact, ...] = ("silent", "unreachable")
_FREE_AT_MOST = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What a fault comes to on this ground: the rules for each service, and the ways that show what they do."""

    rules: Mapping[str, tuple[Rule, ...]]
    ways: tuple[Way, ...]
    sets: tuple[str, ...] = ()


Compile: TypeAlias = Callable[[FaultEvent, FaultContext, Ground], Ruling]


def nftables_rung(mechanism: str, proof: str, *more: str) -> Rung:
    """Return the one rung of a fault by rules, which needs this and `more`."""
    return Rung(name=BACKEND, mechanism=mechanism, needs=(needs.NFT, needs.TABLES, *more), proof=proof)


class RuleFault:
    """One occurrence: a table of its own in the namespace of every service that the ruling names."""

    backend = BACKEND

    def __init__(self, event: FaultEvent, context: FaultContext, compile_rules: Compile) -> None:
        self._event = event
        self._context = context
        self._compile = compile_rules
        self._ground = Ground({})
        self._ruling = Ruling(rules={}, ways=())
        self._tables: dict[str, Table] = {}
        self._before: dict[Way, Contact] = {}
        self._silence = Silence()
        self._ended = 0.0
        self._recovery: Recovery | None = None

    def inject(self) -> None:
        """Contact everybody while nothing is in the way, then put up the rules."""
        context, event = self._context, self._event
        self._ground = open_ground(context.engine, context.containers, event.targets)
        self._ruling = self._compile(event, context, self._ground)
        self._before = self._ground.ask(self._ruling.ways)
        self._check_before()
        self._silence.begin(self._ground[service].state.id for service in self._ruling.rules)
        name = table_name(event.fault.kind, f"{event.fault.id}_{event.occurrence}", event.stream)
        for service, rules in self._ruling.rules.items():
            table = Table(self._ground[service].handle, name, render(name, rules, self._ruling.sets))
            # Known before it is applied: whatever goes wrong there, `revert` finds it.
            self._tables[service] = table
            table.apply()

    def _check_before(self) -> None:
        for way, found in self._before.items():
            if way.protocol == "udp":
                continue  # a listener need not answer: only the counter tells
            if way.want == "lost" and found not in _ANSWERS:
                raise EngineError(f"{way.goal} does not answer {way.source}, so a loss of packets could not be seen")
            if way.want == "refused" and found != "open":
                raise EngineError(f"{way.name} is {found} already, so a refusal could not be seen")

    def verify(self) -> Evidence:
        """Hold when every way that is to be struck is, and its counter has seen why."""
        counts = {name: table.counts() for name, table in self._tables.items()}
        during = self._ground.ask(self._ruling.ways)
        after = {name: table.counts() for name, table in self._tables.items()}
        weak, facts = [], self._tell(during)
        for way in self._ruling.ways:
            grown = _count(after, way.counter) - _count(counts, way.counter)
            fault = _shortfall(way, self._before[way], during[way], grown)
            if fault:
                weak.append(f"{way.name} {fault}")
        facts |= _packets(after)
        return Evidence(holds=not weak, facts=facts, reason="; ".join(weak))

    def _tell(self, during: Mapping[Way, Contact]) -> dict[str, Json]:
        facts: dict[str, Json] = {}
        free = [way for way in self._ruling.ways if way.want == "free" and self._before[way] in _ANSWERS]
        for way, found in during.items():
            if way.want != "free":
                facts[way.name] = f"{self._before[way]}, then {found}"
        facts["affected"] = ",".join(sorted(self._event.targets))
        facts["unaffected"] = ",".join(way.name for way in free if during[way] == self._before[way])
        beside = ",".join(way.name for way in free if during[way] != self._before[way])
        if beside:
            facts["not_as_before"] = beside
        return facts

    def revert(self) -> None:
        """Take down every table, whatever becomes of the others; safe to call twice."""
        failed = []
        for table in self._tables.values():
            try:
                table.remove()
            except CleanroomError as err:
                failed.append(err.message)
        self._silence.end()
        self._ended = self._ended or self._context.clock.monotonic()
        if failed:
            raise NetworkError("; ".join(failed))

    def verify_reversal(self) -> Evidence:
        """Hold when no namespace has a table of ours, and say how every way is now."""
        if self._tables:
            # First of all: what is looked at afterwards takes its time, and nobody has to recover from that.
            self._recovery = recover(self._context, self._event.targets, self._ended, "heal")
        left, lapses, facts = [], [], dict[str, Json]()
        for service, table in self._tables.items():
            try:
                left += [f"{service}: {one}" for one in table.leftovers()]
            except CleanroomError as err:
                left.append(f"{service}: {err.message}")
            lapses += [f"{service}: {words}" for words in (*table.lapses, *self._lapse(service)) if words]
        facts |= _packets({name: table.counts() for name, table in self._tables.items()})
        if not left and not lapses:
            ways = [way for way in self._ruling.ways if way.want in ("lost", "refused")]
            facts |= {f"{way.name}.after": found for way, found in self._ground.ask(ways).items()}
        self._ground.close()
        reason = f"still there: {', '.join(left)}" if left else ""
        return Evidence(holds=not left, facts=facts, reason=reason, lapsed="; ".join(dict.fromkeys(lapses)))

    def _lapse(self, service: str) -> tuple[str, ...]:
        was = self._ground[service].state
        return (interrupted(self._context, service, was.id, was.started_at),)

    def recovery(self) -> Recovery | None:
        """How long it took from the fault's end until every target was ready."""
        return self._recovery


def _count(counts: Mapping[str, Mapping[str, int]], counter: tuple[str, str]) -> int:
    return counts.get(counter[0], {}).get(identifier(counter[1]), 0)


def _packets(counts: Mapping[str, Mapping[str, int]]) -> dict[str, Json]:
    return {f"{service}.{name}.packets": n for service, found in counts.items() for name, n in found.items()}


def _shortfall(way: Way, before: Contact, during: Contact, grown: int) -> str:
    """Return in which way the evidence falls short; empty when it does not."""
    if way.want == "free":
        return ""
    if grown <= 0:
        return f"was contacted, and no packet of it was counted ({during})"
    if way.want == "lost" and during not in _SILENCE:
        return f"is still answered ({during})"
    if way.want == "refused" and during != "refused":
        return f"is not refused ({before}, then {during})"
    return ""


def free_ways(ways: tuple[Way, ...]) -> tuple[Way, ...]:
    """Return the first of the ways that nobody is to touch: enough to see who is not affected."""
    return tuple(dict.fromkeys(ways))[:_FREE_AT_MOST]

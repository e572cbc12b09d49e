"""A fault made of others: its parts are occurrences of their own, under its span, and prove it together."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Protocol

from cleanroom.canonical import Json
from cleanroom.faults.base import Evidence
from cleanroom.plan.model import FaultEvent
from cleanroom.quantity import Duration
from cleanroom.run.hops import HopWatch
from cleanroom.run.occurrence import ChaosPorts, Occurrence
from cleanroom.run.record import FaultRecord
from cleanroom.spec.fault import AtOffset


class Arm(Protocol):
    """Starts an occurrence in so many seconds; at once, before it returns, for none."""

    def __call__(self, occurrence: Occurrence, seconds: float) -> None:
        """Arm it."""


class Composite(Occurrence):
    """`composite.*`: begins with its first part and takes all of them away in reverse; proven when each of them is."""

    def __init__(self, event: FaultEvent, ports: ChaosPorts, arm: Arm, within: str = "") -> None:
        super().__init__(event, ports, within)
        self._arm = arm
        path = f"{within}/{event.key}" if within else event.key
        self.parts = tuple(self._part(one, path) for one in event.inner if one.drawn)
        self._hops: HopWatch | None = None

    def _part(self, event: FaultEvent, path: str) -> Occurrence:
        if event.fault.kind.startswith("composite."):
            return Composite(event, self._ports, self._arm, path)
        return Occurrence(event, self._ports, path)

    @property
    def records(self) -> tuple[FaultRecord, ...]:
        """Its own record, and those of the parts that it came to."""
        return (self.record, *(record for part in self.parts if part.begun for record in part.records))

    def forego(self) -> None:
        """Give up the parts as well."""
        super().forego()
        if not self.begun:
            for part in self.parts:
                part.forego()

    def _strike(self) -> None:
        assert self._span is not None  # noqa: S101 - it has begun
        self._ports.journal(self.record)
        for part in self.parts:
            part.under(self._span)
        self._injected("parts")
        if self.event.fault.kind == "composite.cascade":
            self._watch_hops()
        if self.event.fault.kind == "composite.concurrent" and self.parts:
            with ThreadPoolExecutor(len(self.parts), thread_name_prefix="concurrent") as pool:
                list(pool.map(lambda part: self._arm(part, 0), self.parts))
            return
        for part in self.parts:
            part.first(lambda part=part: self._make_room(part))  # type: ignore[misc]
            self._arm(part, _offset(part).seconds)

    def _make_room(self, part: Occurrence) -> None:
        """End, and wait for the end of, what was to have ended on the same target before this part begins."""
        for earlier in self.parts:
            end = _offset(earlier).ns + (earlier.event.fault.duration or Duration(0)).ns
            shared = set(earlier.event.targets) & set(part.event.targets)
            if earlier is not part and earlier.begun and shared and end <= _offset(part).ns:
                earlier.revert()

    def _watch_hops(self) -> None:
        parameters = self.event.parameters
        dependents = parameters["dependents"]
        assert isinstance(dependents, tuple)  # noqa: S101 - the shape of `dependents`
        delay = parameters.get("delay", Duration(0))
        assert isinstance(delay, Duration)  # noqa: S101 - the shape of `delay`
        struck = {name for part in self.parts for name in part.event.targets}
        others = tuple(name for name in self._ports.context.containers if name not in struck)
        self._hops = HopWatch(tuple(map(str, dependents)), others, self._ports, delay)
        self._hops.begin()

    def _end(self) -> None:
        if self._hops is not None:
            # First: what its root's reversal does to the others is no hop.
            self._hops.end()
        for part in reversed(self.parts):
            part.revert()
            part.forego()
        begun = [part for part in self.parts if part.begun]
        stuck = [part.record for part in begun if not part.record.reverted]
        reason = "; ".join(f"{r.id}: {r.reason}" for r in stuck)
        self.record = replace(
            self.record, reverted=not stuck, reversal={"parts_reverted": len(begun) - len(stuck), "parts": len(begun)}
        )
        self._judge_effect(self._evidence(begun))
        if self._span is not None:
            self._span.event("reverted", {"evidence.parts": len(begun), "evidence.reverted": len(begun) - len(stuck)})
        if stuck:
            self._trouble(f"could not be reverted: {reason}")

    def _evidence(self, begun: list[Occurrence]) -> Evidence:
        """Return what all of it came to; its parts are judged one by one, and the whole by all of them."""
        unproven = [part.record for part in begun if _unproven(part)]
        reasons = [f"{r.id}#{r.occurrence} is not proven: {r.reason}" for r in unproven]
        facts: dict[str, Json] = {
            "parts": len(self.parts), "injected": sum(part.record.injected for part in begun),
            "verified": sum(part.record.verified for part in begun),
        }  # fmt: skip
        if begun and not reasons and not any(_counts(part) for part in begun):
            reasons.append("none of its parts is proven, though each of them may be so")
        more, why = self._own_facts(begun)
        facts.update(more)
        if not begun:
            reasons.append(
                "none of its parts came to pass" if self.parts else "no strike was drawn at any of its ticks"
            )
        reasons += [why] if why else []
        return Evidence(holds=not reasons, facts=facts, reason="; ".join(reasons))

    def _own_facts(self, begun: list[Occurrence]) -> tuple[dict[str, Json], str]:
        """Return what only this kind of composite measures, and why that proves nothing; empty when it does."""
        match self.event.fault.kind:
            case "composite.monkey":
                return self._rate(begun), ""
            case "composite.cascade":
                assert self._hops is not None  # noqa: S101 - it has begun
                return self._hops.found(begun[0].record.window[0]) if begun else ({}, "")
            case "composite.sweep":
                return self._value(), ""
            case _:
                missing = [part.event.fault.id for part in self.parts if not part.begun]
                facts = _together(begun)
                apart = "its parts never stood at the same time" if facts.get("together_ms") == 0 else ""
                return facts, f"never begun: {', '.join(missing)}" if missing else apart

    def _rate(self, begun: list[Occurrence]) -> dict[str, Json]:
        """How often it really struck, of the ticks that there were until its end."""
        every = self.event.parameters["every"]
        assert isinstance(every, Duration)  # noqa: S101 - the shape of `every`
        lasted = self._ports.clock.now_ns() - self.record.window[0]
        latest = max((part.event.occurrence + 1 for part in begun), default=0)
        ticks = max(latest, min(len(self.event.inner), lasted // every.ns + 1))
        injected = sum(part.record.injected for part in begun)
        drawn = sum(part.event.occurrence < ticks for part in self.parts)
        return {"ticks": ticks, "drawn": drawn, "realised_rate": round(injected / ticks, 4) if ticks else 0.0}

    def _value(self) -> dict[str, Json]:
        name = str(self.event.parameters["parameter"])
        value = self.parts[0].event.parameters.get(name) if self.parts else None
        return {"parameter": name, "value": str(value)}


def _together(begun: list[Occurrence]) -> dict[str, Json]:
    """How far apart the parts began, and for how long all of them stood."""
    windows = [part.record.window for part in begun]
    if not windows:
        return {}
    starts, ends = [w[0] for w in windows], [w[1] for w in windows]
    return {
        "begin_spread_ms": round((max(starts) - min(starts)) / 10**6, 3),
        "together_ms": round(max(0, min(ends) - max(starts)) / 10**6, 3),
    }


def _offset(part: Occurrence) -> Duration:
    moment = part.event.moment
    return moment.offset if isinstance(moment, AtOffset) else Duration(0)


def _counts(part: Occurrence) -> bool:
    """Whether it is proven, or was injected and needs no proof."""
    return part.record.verified or (part.record.injected and not part.event.fault.verify)


def _unproven(part: Occurrence) -> bool:
    return not _counts(part) and not part.event.fault.allow_inconclusive

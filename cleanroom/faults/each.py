"""A fault on several targets made of one on each: evidence of all of them, and every reversal whatever fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, Protocol

from cleanroom.canonical import Json
from cleanroom.errors import CapabilityError, CleanroomError, EngineError
from cleanroom.faults.base import Evidence, FaultContext, Recovery
from cleanroom.faults.recovery import recover
from cleanroom.plan.model import FaultEvent


class OnOne(Protocol):
    """A fault on one target, by the methods of `ActiveFault`."""

    target: str

    def inject(self) -> None:
        """Apply it; raises `EngineError`."""

    def verify(self) -> Evidence:
        """Measure that it bites; facts without the target's name."""

    def revert(self) -> None:
        """Take it away, as far as it came; safe to call twice."""

    def verify_reversal(self) -> Evidence:
        """Measure that nothing of it is left."""


class EachTarget:
    """The same fault on each of its targets; `heals` says that they have to recover from it."""

    def __init__(
        self,
        backend: str,
        parts: Sequence[OnOne],
        context: FaultContext,
        *,
        heals: Literal["", "heal", "failover"] = "",
    ) -> None:
        self.backend = backend
        self._parts = tuple(parts)
        self._context = context
        self._heals = heals
        self._begun: list[OnOne] = []
        self._ended: float | None = None

    def inject(self) -> None:
        """Apply it to one target after the other; raises `EngineError` at the first that it cannot be applied to."""
        for part in self._parts:
            # Known before it is applied: whatever goes wrong there, `revert` finds it.
            self._begun.append(part)
            part.inject()

    def verify(self) -> Evidence:
        """Hold when it holds of each target."""
        found = [(part.target, part.verify()) for part in self._begun]
        whole = _together(found)
        complete = len(found) == len(self._parts) and bool(found)
        return Evidence(holds=whole.holds and complete, facts=whole.facts, reason=whole.reason, lapsed=whole.lapsed)

    def revert(self) -> None:
        """Take it away from every target, the last one first; raises `EngineError` with all that failed."""
        failures = []
        for part in reversed(self._begun):
            try:
                part.revert()
            except CleanroomError as err:
                failures.append(f"{part.target}: {err.message}")
        if self._ended is None:
            self._ended = self._context.clock.monotonic()
        if failures:
            raise EngineError("; ".join(failures))

    def verify_reversal(self) -> Evidence:
        """Hold when nothing is left of it on any target."""
        return _together([(part.target, part.verify_reversal()) for part in self._begun])

    def recovery(self) -> Recovery | None:
        """Return how long the targets took from its end until they were ready; None where they need not recover."""
        if not self._heals or not self._begun or self._ended is None:
            return None
        return recover(self._context, [part.target for part in self._begun], self._ended, self._heals)


def _together(found: Sequence[tuple[str, Evidence]]) -> Evidence:
    facts: dict[str, Json] = {f"{name}.{key}": value for name, one in found for key, value in one.facts.items()}
    return Evidence(
        holds=all(one.holds for _, one in found),
        facts=facts,
        reason="; ".join(f"{name}: {one.reason}" for name, one in found if one.reason),
        lapsed="; ".join(f"{name}: {one.lapsed}" for name, one in found if one.lapsed),
    )


def open_each(
    event: FaultEvent, context: FaultContext, backend: str, make: Callable[[FaultEvent, FaultContext, str], OnOne]
) -> EachTarget:
    """Return a fault of one rung, `make` for each target; raises `CapabilityError` for another backend."""
    if event.fault.backend not in ("auto", backend):
        raise CapabilityError(
            f"{event.fault.kind} has no backend {event.fault.backend!r}", remedy=f"use auto or {backend}"
        )
    return EachTarget(backend, [make(event, context, target) for target in event.targets], context)

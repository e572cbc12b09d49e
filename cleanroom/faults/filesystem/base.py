"""What all faults of the family have in common: one hit for each target, evidence and reversal of all of them."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cleanroom.canonical import Json
from cleanroom.errors import CapabilityError, EngineError
from cleanroom.faults.base import ActiveFault, Evidence, FaultContext, Recovery
from cleanroom.faults.filesystem.tree import Tree, Worker
from cleanroom.faults.recovery import recover
from cleanroom.plan.model import FaultEvent


@dataclass(slots=True)
class Hit:
    """One target: its files, and what was done there."""

    tree: Tree
    token: str
    applied: bool = False
    state: dict[str, Any] = field(default_factory=dict)
    worker: Worker | None = None
    """A process of ours that holds something."""
    undone: bool = False
    facts: dict[str, Json] = field(default_factory=dict)
    """What its reversal said."""
    lapses: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The target."""
        return self.tree.name


class OnPath:
    """A fault at `path` in every target; what is done there is for those who derive from it."""

    def __init__(self, event: FaultEvent, context: FaultContext, backend: str) -> None:
        self.backend = backend
        self._event = event
        self._context = context
        self._path = str(event.parameters["path"])
        self._hits: list[Hit] = []
        self._ended = 0.0

    def inject(self) -> None:
        """Strike every target."""
        for name in self._event.targets:
            tree = Tree(
                name, self._context.engine, self._context.containers[name].id, self._path,
                lambda name=name: self._context.containers[name].id,  # type: ignore[misc]
            )  # fmt: skip
            hit = Hit(tree, secrets.token_hex(6))
            self._hits.append(hit)
            self._apply(hit)

    def _apply(self, hit: Hit) -> None:
        raise NotImplementedError

    def _look(self, hit: Hit) -> Evidence:
        raise NotImplementedError

    def _undo(self, hit: Hit) -> None:
        raise NotImplementedError

    def _gone(self, hit: Hit) -> Evidence:
        raise NotImplementedError

    def verify(self) -> Evidence:
        """Hold when the effect was found in every target."""
        return _all(self._hits, self._look)

    def revert(self) -> None:
        """Take it away in every target; all are tried, whatever fails."""
        failures = []
        for hit in reversed(self._hits):
            if hit.undone:
                continue
            hit.undone = True
            try:
                if hit.applied and hit.tree.successor() is not None and not self._outlives(hit):
                    hit.lapses.append("another container took its place, and ran on without the fault")
                self._undo(hit)
            except EngineError as err:
                failures.append(err.message)
        self._ended = self._ended or self._context.clock.monotonic()
        if failures:
            raise EngineError("; ".join(failures))

    def verify_reversal(self) -> Evidence:
        """Hold when nothing of it is left in any target that is still there."""
        try:
            found = _all(self._hits, self._after)
        finally:
            for hit in self._hits:
                hit.tree.close()
        lapses = [f"{hit.name}: {lapse}" for hit in self._hits for lapse in hit.lapses]
        return Evidence(
            holds=found.holds or not self._hits, facts=found.facts, reason=found.reason, lapsed="; ".join(lapses)
        )

    def _after(self, hit: Hit) -> Evidence:
        now = hit.tree.now()
        facts = {**hit.facts, **({} if now == "same" else {"state": now})}
        if not hit.applied:
            return Evidence(holds=True, facts=facts)
        if now == "gone":
            left = self._left_behind(hit)
            return Evidence(holds=not left, facts=facts, reason=left)
        found = self._gone(hit)
        return Evidence(holds=found.holds, facts={**facts, **found.facts}, reason=found.reason)

    def _outlives(self, hit: Hit) -> bool:  # noqa: ARG002 - for those who can tell
        """Whether it still bites in the container that took the struck one's place."""
        return False

    def _left_behind(self, hit: Hit) -> str:  # noqa: ARG002 - for those who can tell
        """Return what of it is left in files that outlived the container; empty when nothing is."""
        return ""

    def recovery(self) -> Recovery | None:
        """How long after its end every target was ready again."""
        struck = [hit.name for hit in self._hits if hit.applied]
        return recover(self._context, struck, self._ended, "heal") if struck else None


def _all(hits: list[Hit], look: Callable[[Hit], Evidence]) -> Evidence:
    facts: dict[str, Json] = {}
    wrong = []
    for hit in hits:
        found = look(hit)
        facts.update({f"{hit.name}.{key}": value for key, value in found.facts.items()})
        if not found.holds:
            wrong.append(f"{hit.name}: {found.reason}")
    return Evidence(holds=not wrong and bool(hits), facts=facts, reason="; ".join(wrong))


def evidence(said: dict[str, Any]) -> Evidence:
    """Return a worker's look as evidence."""
    return Evidence(holds=said["holds"], facts=said["facts"], reason=said["reason"])


def backend_of(event: FaultEvent, rung: str) -> str:
    """Return the only rung; raises `CapabilityError` where another is pinned."""
    wanted = event.fault.backend
    if wanted not in ("auto", rung):
        raise CapabilityError(f"{event.fault.kind} has no backend {wanted!r}", remedy=f"use auto or {rung}")
    return rung


Open = Callable[[FaultEvent, FaultContext], ActiveFault]

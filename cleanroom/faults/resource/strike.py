"""The life that all faults of this family share: each target is struck by itself, and all are taken back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from cleanroom.canonical import Json
from cleanroom.clock import Deadline
from cleanroom.engine.ports import ContainerState
from cleanroom.errors import CapabilityError, CleanroomError, EngineError
from cleanroom.faults.base import Evidence, FaultContext, Recovery
from cleanroom.faults.recovery import recover
from cleanroom.faults.resource.group import Group, group_of
from cleanroom.faults.victim import visible_pid
from cleanroom.plan.model import FaultEvent

# A kill of a process that the container does not end with is not waited for longer.
_SEEN = 3.0
_PAUSE = 0.02
_claims: set[tuple[str, str]] = set()
_claiming = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One running container that is struck."""

    name: str
    state: ContainerState
    pid: int
    group: Group
    context: FaultContext


class Hit(Protocol):
    """One mechanism on one target."""

    takes: str
    """What only one fault at a time can do to a container; "" for what many can."""

    def apply(self) -> None:
        """Do it; raises `CapabilityError`. `take_back` is safe to call whatever happened here."""

    def proof(self) -> Evidence:
        """Measure that it bites."""

    def take_back(self) -> None:
        """Undo it; safe to call twice, and when the container is gone."""

    def residue(self) -> Evidence:
        """Measure that nothing of it is left."""


class Strike:
    """One fault of the family on every target of its event.

    `kills`: a target may die of it, and is brought back. `until_death`: it is over then, whoever runs in its place.
    """

    def __init__(
        self, event: FaultEvent, context: FaultContext, backend: str, make: Callable[[Target], Hit], *,
        kills: bool = False,
        until_death: bool = False,
    ) -> None:  # fmt: skip
        self.backend = backend
        self._event = event
        self._context = context
        self._make = make
        self._kills = kills
        self._until_death = until_death
        self._hits: list[tuple[Target, Hit]] = []
        self._claimed: list[tuple[str, str]] = []
        self._dead: dict[str, float] = {}
        self._kills_before: dict[str, int] = {}

    def inject(self) -> None:
        """Strike every target."""
        for name in self._event.targets:
            state = self._context.engine.inspect(self._context.containers[name].id)
            if state.status != "running":
                raise CapabilityError(f"{name} does not run ({state.status}): there is nothing to strike")
            pid = visible_pid(state)
            target = Target(name=name, state=state, pid=pid, group=group_of(state), context=self._context)
            hit = self._make(target)
            self._claim(target, hit)
            if self._kills:
                self._kills_before[name] = target.group.oom_kills()
            # Known before it is applied: whatever goes wrong there, `revert` finds it.
            self._hits.append((target, hit))
            hit.apply()

    def _claim(self, target: Target, hit: Hit) -> None:
        key = (target.state.id, hit.takes)
        if not hit.takes:
            return
        with _claiming:
            if key in _claims:
                raise CapabilityError(
                    f"another fault changes the same ({hit.takes}) of {target.name}: each would take the other back",
                    remedy="end the first before the second starts (`for:` or `until:`)",
                )
            _claims.add(key)
        self._claimed.append(key)

    def verify(self) -> Evidence:
        """Hold when every target's mechanism is proven."""
        facts: dict[str, Json] = {}
        weak = []
        for target, hit in self._hits:
            found = hit.proof()
            facts.update({f"{target.name}.{key}": value for key, value in found.facts.items()})
            if not found.holds:
                weak.append(f"{target.name}: {found.reason}")
        return Evidence(holds=not weak and bool(self._hits), facts=facts, reason="; ".join(weak))

    def revert(self) -> None:
        """Undo it on every target; all are tried, whatever fails."""
        failures = []
        for target, hit in reversed(self._hits):
            try:
                hit.take_back()
            except (CleanroomError, OSError) as err:
                failures.append(f"{target.name}: {err.message if isinstance(err, CleanroomError) else err}")
        claimed, self._claimed = self._claimed, []
        with _claiming:
            _claims.difference_update(claimed)
        if failures:
            raise EngineError("; ".join(failures))

    def verify_reversal(self) -> Evidence:
        """Hold when nothing of it is left; say where it ended before its time."""
        facts: dict[str, Json] = {}
        left: list[str] = []
        lapses: list[str] = []
        for target, hit in self._hits:
            died = self._see(target, facts, lapses)
            found = hit.residue()
            facts.update({f"{target.name}.{key}": value for key, value in found.facts.items()})
            if found.lapsed and not (died and self._until_death):
                lapses.append(f"{target.name}: {found.lapsed}")
            left.extend([f"{target.name}: {found.reason}"] if not found.holds else [])
        return Evidence(holds=not left, facts=facts, reason="; ".join(left), lapsed="; ".join(lapses))

    def _see(self, target: Target, facts: dict[str, Json], lapses: list[str]) -> bool:
        """Note a target that is not the one that was struck, and return whether that is so."""
        try:
            state = self._settled(target)
        except EngineError:
            facts[f"{target.name}.state"] = "gone"
            if self._context.containers[target.name].id != target.state.id:
                lapses.append(f"{target.name}: another container took its place, and ran on without the fault")
            return True
        if state.status == "running" and state.started_at == target.state.started_at:
            return False
        facts[f"{target.name}.state"] = "restarted" if state.status == "running" else state.status
        if self._kills:
            self._dead[target.name] = self._context.clock.monotonic() - _age(state, self._context.clock.now_ns())
            facts[f"{target.name}.oom_killed"] = state.oom_killed
        if state.status == "running" and not self._until_death:
            lapses.append(f"{target.name}: it was restarted under the fault, and ran on without it")
        return True

    def _settled(self, target: Target) -> ContainerState:
        """Return the target's state; where the kernel has killed in it, not before the engine can have seen the end."""
        limit = Deadline.after(self._context.clock, _SEEN)
        while True:
            state = self._context.engine.inspect(target.state.id)
            same = state.status == "running" and state.started_at == target.state.started_at
            if not (same and self._kills and self._struck(target)) or limit.expired():
                return state
            self._context.clock.sleep(_PAUSE)

    def _struck(self, target: Target) -> bool:
        if not target.group.same():
            return True
        return target.group.oom_kills() > self._kills_before.get(target.name, 0)

    def recovery(self) -> Recovery | None:
        """Return how those that died of it came back; None where nobody did."""
        if not self._dead:
            return None
        names = tuple(self._dead)
        policy = all(self._context.policy_restarts.get(name, False) for name in names)
        return recover(self._context, names, min(self._dead.values()), "policy" if policy else "start")


def _age(state: ContainerState, now_ns: int) -> float:
    """Seconds since the container's last end, as the engine has it; 0 when it does not say."""
    try:
        moment = datetime.fromisoformat(state.finished_at)
    except ValueError:
        return 0.0
    known = moment.year > 1 and moment.tzinfo is not None
    return max(0.0, now_ns / 10**9 - moment.timestamp()) if known else 0.0


def rung_of(event: FaultEvent, *names: str) -> str:
    """Return the rung to use; raises `CapabilityError` for one that the fault does not have."""
    wanted = event.fault.backend
    if wanted not in ("auto", *names):
        raise CapabilityError(f"{event.fault.kind} has no backend {wanted!r}", remedy=f"use auto, {', '.join(names)}")
    return names[0]

"""Faults of the container family: the container's first process is really killed, from outside."""

from __future__ import annotations

import signal
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast

from cleanroom.canonical import Json
from cleanroom.clock import Clock
from cleanroom.drive.reach import Container
from cleanroom.engine.ports import ContainerState
from cleanroom.errors import CapabilityError, CleanroomError
from cleanroom.faults.base import Evidence, FaultContext, Recovery
from cleanroom.faults.container.death import EARLY, await_death, policy_trouble, replaced, started_since
from cleanroom.faults.recovery import bring_back
from cleanroom.faults.victim import send_signal, visible_pid
from cleanroom.plan.model import FaultEvent

JOIN_TIMEOUT = 300.0
BACKENDS = ("auto", "api", "pid")
Strategy: TypeAlias = Literal["policy", "start", "none"]


@dataclass(slots=True)
class _Victim:
    """One target: as it was, when it was struck and died, and how it came back (seconds on the monotonic clock)."""

    container: Container
    before: ContainerState
    strategy: Strategy
    struck: float
    died: float | None = None
    ready: float | None = None
    looked: bool = False
    trouble: str = ""
    early: bool = False
    """Whether somebody had started it again before the fault's end."""
    waiting: threading.Thread | None = None

    @property
    def name(self) -> str:
        return self.container.service

    def took(self, now: float) -> float:
        """Seconds from the death to readiness, or until now."""
        died = self.struck if self.died is None else self.died
        return (now if self.ready is None else self.ready) - died


class Kill:
    """`container.kill(signal KILL, revive policy|start|none)`.

    Rungs: `api` asks the engine; `pid` signals the first process from our side, which is what a crash is to the engine:
    it alone lets a restart policy act, because an engine takes its own kill for a stop that somebody wanted.
    """

    def __init__(self, event: FaultEvent, context: FaultContext, backend: str) -> None:
        self.backend = backend
        self._event = event
        self._context = context
        self._clock: Clock = context.clock
        self._signal = str(event.parameters.get("signal", "KILL")).removeprefix("SIG")
        self._strategies = strategies_of(event, context)
        self._victims: list[_Victim] = []
        self._revived = False

    def inject(self) -> None:
        """Send the signal to every target."""
        for name in self._event.targets:
            container = self._context.containers[name]
            before = self._context.engine.inspect(container.id)
            if before.status != "running":
                raise CapabilityError(f"{name} does not run ({before.status}): there is nothing to kill")
            victim = _Victim(container, before, self._strategies[name], self._clock.monotonic())
            if self.backend == "pid":
                send_signal(before, signal.Signals[f"SIG{self._signal}"])
            else:
                self._context.engine.kill(container.id, self._signal)
            self._victims.append(victim)

    def verify(self) -> Evidence:
        """Hold when each target's process is gone: its container ended, or runs as another process."""
        facts: dict[str, Json] = {}
        alive = []
        for victim in self._victims:
            after = self._await_death(victim)
            facts[f"{victim.name}.pid_before"] = victim.before.pid
            facts[f"{victim.name}.status"] = after.status
            facts[f"{victim.name}.exit_code"] = after.exit_code
            facts[f"{victim.name}.restarts"] = after.restart_count - victim.before.restart_count
            if victim.died is None:
                alive.append(victim.name)
            elif victim.strategy == "policy":
                self._watch(victim)
        reason = f"{', '.join(alive)} survived signal {self._signal}" if alive else ""
        return Evidence(holds=not alive and bool(self._victims), facts=facts, reason=reason)

    def _await_death(self, victim: _Victim) -> ContainerState:
        victim.looked = True
        state, victim.died = await_death(self._context, victim.container, victim.before, victim.struck)
        return state

    def _watch(self, victim: _Victim) -> None:
        """Wait for the restart policy from now on: it does not wait for the fault's end, nor may its stopwatch."""
        victim.waiting = threading.Thread(target=self._come_back, args=(victim,), name="recovery", daemon=True)
        victim.waiting.start()

    def _come_back(self, victim: _Victim) -> None:
        try:
            if victim.strategy == "policy":
                victim.trouble = policy_trouble(self._context, victim.container, victim.before)
        except CleanroomError as err:
            victim.trouble = err.message
        if victim.trouble:
            return
        back = bring_back(self._context, victim.name)
        victim.ready, victim.trouble = back.ready, back.trouble

    def revert(self) -> None:
        """Bring the targets back as `revive` says, and wait until each is ready again; `recovery` says who is not."""
        if self._revived:
            return
        self._revived = True
        for victim in self._victims:
            if not victim.looked:
                self._await_death(victim)
            if victim.strategy != "policy" and victim.died is not None:
                victim.early = started_since(self._context, victim.container, victim.before)
            if victim.strategy == "none" or victim.died is None:
                continue
            if victim.waiting is None:
                self._come_back(victim)
            else:
                victim.waiting.join(JOIN_TIMEOUT)

    def verify_reversal(self) -> Evidence:
        """Hold always, for a kill leaves nothing behind: that a target did not come back is for `recovery` to say."""
        facts: dict[str, Json] = {}
        for victim in self._victims:
            state = self._context.engine.inspect(victim.container.id)
            facts[f"{victim.name}.status"] = state.status
            facts[f"{victim.name}.pid_after"] = state.pid
            if victim.ready is not None and not replaced(victim.before, state):
                victim.ready = None
                victim.trouble = f"{victim.name} was ready again and then ended ({state.status})"
        early = ", ".join(victim.name for victim in self._victims if victim.early)
        return Evidence(holds=True, facts=facts, lapsed=f"{early} {EARLY}" if early else "")

    def recovery(self) -> Recovery | None:
        """Return the longest time from a death to readiness; None when nothing died or nothing was to come back."""
        awaited = [v for v in self._victims if v.died is not None and v.strategy != "none"]
        if not awaited:
            return None
        missing = [v for v in awaited if v.ready is None]
        now = self._clock.monotonic()
        return Recovery(
            strategy="policy" if any(v.strategy == "policy" for v in awaited) else "start",
            duration_ns=round(max(v.took(now) for v in awaited) * 10**9),
            success=not missing,
            reason="; ".join(v.trouble or f"{v.name} did not become ready" for v in missing),
        )


def strategies_of(event: FaultEvent, context: FaultContext) -> Mapping[str, Strategy]:
    """Return how each target comes back (spec.md section 8); raises `CapabilityError` for a policy it lacks."""
    asked = str(event.parameters.get("revive", "default"))
    found: dict[str, Strategy] = {}
    for name in event.targets:
        policy = context.policy_restarts.get(name, False)
        if asked == "policy" and not policy:
            raise CapabilityError(
                f"revive: policy, and {name} has no restart policy", remedy="give it `restart:`, or use revive: start"
            )
        found[name] = cast("Strategy", asked) if asked != "default" else "policy" if policy else "start"
    return found


def open_kill(event: FaultEvent, context: FaultContext) -> Kill:
    """Choose the rung; raises `CapabilityError` when the rung that `revive` needs cannot be had."""
    wanted = event.fault.backend
    if wanted not in BACKENDS:
        raise CapabilityError(f"container.kill has no backend {wanted!r}", remedy="use auto, api or pid")
    strategies = strategies_of(event, context)
    by_policy = "policy" in strategies.values()
    if wanted == "api" and by_policy:
        raise CapabilityError(
            "backend api: an engine's own kill never wakes a restart policy", remedy="use backend auto or pid"
        )
    backend = "pid" if by_policy or wanted == "pid" else "api"
    for target, strategy in strategies.items():
        if backend == "pid" and strategy != "policy" and context.policy_restarts.get(target, False):
            raise CapabilityError(
                f"backend pid: the restart policy of {target} would act, and revive: {strategy} does not want it",
                remedy="use backend auto or api",
            )
        if backend == "pid":
            visible_pid(context.engine.inspect(context.containers[target].id))
    return Kill(event, context, backend)

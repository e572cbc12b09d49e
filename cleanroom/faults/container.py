"""Faults of the container family: the container's first process is really killed, from outside."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from cleanroom.canonical import Json
from cleanroom.engine.ports import ContainerState
from cleanroom.errors import CapabilityError, EngineError
from cleanroom.faults.base import Container, Evidence, FaultContext, Recovery
from cleanroom.plan.model import FaultEvent
from cleanroom.quantity import Duration

DEATH_TIMEOUT = Duration(10 * 10**9)
POLICY_TIMEOUT = 30.0


@dataclass(frozen=True, slots=True)
class _Victim:
    container: Container
    before: ContainerState
    struck_ns: int


class Kill:
    """`container.kill(signal KILL, revive policy|start|none)`.

    Rungs: `api` asks the engine; `pid` signals the first process from our side, which is what a crash is to the engine: it
    alone lets a restart policy act, because an engine takes its own kill for a stop that somebody wanted.
    """

    def __init__(self, event: FaultEvent, context: FaultContext, backend: str) -> None:
        self.backend = backend
        self._event = event
        self._context = context
        self._signal = str(event.parameters.get("signal", "KILL")).removeprefix("SIG")
        self._revive = str(event.parameters.get("revive", "default"))
        self._victims: list[_Victim] = []
        self._recovered_ns = 0
        self._revived = False
        self._death_ns = 0

    def inject(self) -> None:
        """Send the signal to every target."""
        for name in self._event.targets:
            container = self._context.containers[name]
            before = self._context.engine.inspect(container.id)
            if before.status != "running":
                raise EngineError(f"{name} does not run ({before.status}): there is nothing to kill")
            self._victims.append(_Victim(container, before, time.monotonic_ns()))
            if self.backend == "pid":
                os.kill(_own_pid(before), signal.Signals[f"SIG{self._signal}"])
            else:
                self._context.engine.kill(container.id, self._signal)

    def verify(self) -> Evidence:
        """Hold when each target's process is gone: its container ended by a signal, or runs as another process."""
        facts: dict[str, Json] = {}
        alive = []
        for victim in self._victims:
            after = self._await_death(victim)
            name = victim.container.service
            gone = after.status != "running" or after.started_at != victim.before.started_at
            facts[f"{name}.pid_before"] = victim.before.pid
            facts[f"{name}.status"] = after.status
            facts[f"{name}.exit_code"] = after.exit_code
            facts[f"{name}.restarts"] = after.restart_count - victim.before.restart_count
            if not gone:
                alive.append(name)
        self._death_ns = time.monotonic_ns()
        reason = f"{', '.join(alive)} survived signal {self._signal}" if alive else ""
        return Evidence(holds=not alive and bool(self._victims), facts=facts, reason=reason)

    def _await_death(self, victim: _Victim) -> ContainerState:
        deadline = time.monotonic() + DEATH_TIMEOUT.seconds
        pause = 0.005
        while True:
            state = self._context.engine.inspect(victim.container.id)
            if state.status != "running" or state.started_at != victim.before.started_at or time.monotonic() > deadline:
                return state
            time.sleep(pause)
            pause = min(0.1, pause * 1.5)

    def _strategy(self, service: str) -> str:
        if self._revive == "default":
            return "policy" if self._context.policy_restarts.get(service, False) else "start"
        return self._revive

    def revert(self) -> None:
        """Bring the targets back as `revive` says, and wait until each is ready again."""
        if self._revived:
            return
        self._revived = True
        for victim in self._victims:
            service = victim.container.service
            strategy = self._strategy(service)
            if strategy == "none":
                continue
            if strategy == "policy":
                self._await_policy(victim)
            self._context.revive(service)
        self._recovered_ns = time.monotonic_ns()

    def _await_policy(self, victim: _Victim) -> None:
        deadline = time.monotonic() + POLICY_TIMEOUT
        pause = 0.01
        while time.monotonic() < deadline:
            state = self._context.engine.inspect(victim.container.id)
            if state.status == "running" and state.started_at != victim.before.started_at:
                return
            time.sleep(pause)
            pause = min(0.2, pause * 1.5)
        raise EngineError(f"the restart policy of {victim.container.service} did not bring it back in {POLICY_TIMEOUT:g}s")

    def verify_reversal(self) -> Evidence:
        """Hold when every target that was to come back runs as a new process."""
        facts: dict[str, Json] = {}
        missing = []
        for victim in self._victims:
            service = victim.container.service
            state = self._context.engine.inspect(victim.container.id)
            facts[f"{service}.status"] = state.status
            facts[f"{service}.pid_after"] = state.pid
            if self._strategy(service) != "none" and state.status != "running":
                missing.append(service)
        reason = f"{', '.join(missing)} did not come back" if missing else ""
        return Evidence(holds=not missing, facts=facts, reason=reason)

    def recovery(self) -> Recovery | None:
        """The time from the death to readiness, or None when nothing was to come back."""
        strategies = {self._strategy(v.container.service) for v in self._victims} - {"none"}
        if not strategies:
            return None
        struck = min(v.struck_ns for v in self._victims)
        return Recovery(
            strategy="policy" if "policy" in strategies else "start",
            duration_ns=max(0, self._recovered_ns - struck),
            success=self._recovered_ns > 0,
        )


def open_kill(event: FaultEvent, context: FaultContext) -> Kill:
    """Choose the rung; raises `CapabilityError` when a restart policy must act and its process is out of our sight."""
    wanted = event.fault.backend
    revive = event.parameters.get("revive", "default")
    by_policy = any(context.policy_restarts.get(t, False) for t in event.targets) and revive in ("default", "policy")
    if wanted not in ("auto", "api", "pid"):
        raise CapabilityError(f"container.kill has no backend {wanted!r}", remedy="use auto, api or pid")
    if wanted == "api" and by_policy:
        raise CapabilityError("backend api: an engine's own kill never wakes a restart policy", remedy="use backend auto or pid")
    backend = "pid" if by_policy or wanted == "pid" else "api"
    if backend == "pid":
        for target in event.targets:
            _own_pid(context.engine.inspect(context.containers[target].id))
    return Kill(event, context, backend)


def _own_pid(state: ContainerState) -> int:
    """Return the pid of the container's first process in our own pid namespace; raises `CapabilityError`."""
    try:
        cgroup = Path(f"/proc/{state.pid}/cgroup").read_text()
    except OSError as err:
        raise CapabilityError(f"backend pid: process {state.pid} of {state.name} is not visible from here") from err
    if state.id not in cgroup:
        raise CapabilityError(f"backend pid: process {state.pid} here is not that of {state.name}")
    return state.pid

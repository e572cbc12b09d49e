"""`container.stop(grace)`: the stop signal, the grace, KILL, as an engine stops a container; started at the end."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from cleanroom.canonical import Json
from cleanroom.drive.reach import Container
from cleanroom.engine.ports import ContainerState
from cleanroom.faults.base import Evidence, FaultContext, Recovery
from cleanroom.faults.container.death import EARLY, await_death, running, started_since
from cleanroom.faults.recovery import recover
from cleanroom.faults.rung import pinned
from cleanroom.plan.model import FaultEvent
from cleanroom.quantity import Duration

TOGETHER: Final = 8


@dataclass(slots=True)
class _Stopped:
    """One target: as it was, since when it is being stopped (monotonic seconds), and for how long that took."""

    container: Container
    before: ContainerState
    since: float
    seconds: float | None = None


class Stop:
    """Rung `api`: the engine's stop, which no restart policy answers to."""

    backend = "api"

    def __init__(self, event: FaultEvent, context: FaultContext) -> None:
        self._event = event
        self._context = context
        self._clock = context.clock
        self._grace = event.parameters["grace"]
        self._stopped: list[_Stopped] = []
        self._recovery: Recovery | None = None
        self._early: list[str] = []
        self._reverted = False

    def inject(self) -> None:
        """Stop every target, all at once; returns when none runs."""
        found = [running(self._context, name, "stop") for name in self._event.targets]
        with ThreadPoolExecutor(TOGETHER, thread_name_prefix="stop") as pool:
            list(pool.map(lambda one: self._stop(*one), found))

    def _stop(self, container: Container, before: ContainerState) -> None:
        stopped = _Stopped(container, before, self._clock.monotonic())
        self._stopped.append(stopped)
        assert isinstance(self._grace, Duration)  # noqa: S101 - the language takes nothing else
        self._context.engine.stop(container.id, self._grace)
        stopped.seconds = self._clock.monotonic() - stopped.since

    def verify(self) -> Evidence:
        """Hold when the process of every target has ended and nothing runs in its place."""
        facts: dict[str, Json] = {}
        alive = []
        for one in self._stopped:
            state, died = await_death(self._context, one.container, one.before, one.since)
            name = one.container.service
            facts[f"{name}.status"] = state.status
            facts[f"{name}.exit_code"] = state.exit_code
            facts[f"{name}.stop_ms"] = None if one.seconds is None else round(one.seconds * 1000)
            if died is None or state.status == "running":
                alive.append(name)
        reason = f"{', '.join(alive)} still runs after the stop" if alive else ""
        return Evidence(holds=not alive and bool(self._stopped), facts=facts, reason=reason)

    def revert(self) -> None:
        """Start every target again and wait until it is ready; `recovery` says which is not."""
        if self._reverted:
            return
        self._reverted = True
        if self._stopped:
            self._early = [
                one.container.service
                for one in self._stopped
                if started_since(self._context, one.container, one.before)
            ]
            names = [one.container.service for one in self._stopped]
            self._recovery = recover(self._context, names, self._clock.monotonic(), "start")

    def verify_reversal(self) -> Evidence:
        """Hold always: a stop leaves nothing but a stopped container, and of that `recovery` tells."""
        facts: dict[str, Json] = {}
        for one in self._stopped:
            state = self._context.engine.inspect(one.container.id)
            facts[f"{one.container.service}.status"] = state.status
            facts[f"{one.container.service}.pid_after"] = state.pid
        lapsed = f"{', '.join(self._early)} {EARLY}" if self._early else ""
        return Evidence(holds=True, facts=facts, lapsed=lapsed)

    def recovery(self) -> Recovery | None:
        """Return the time from the fault's end to readiness."""
        return self._recovery


def open_stop(event: FaultEvent, context: FaultContext) -> Stop:
    """Return the fault; raises `CapabilityError` for a rung that does not exist."""
    pinned(event, "api")
    return Stop(event, context)

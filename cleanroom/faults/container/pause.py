"""`container.pause`: every process of the container stands still, and goes on at the fault's end."""

from __future__ import annotations

import signal
from typing import Final, Literal, Protocol

from cleanroom.canonical import Json
from cleanroom.clock import Clock, Deadline
from cleanroom.drive.reach import Container
from cleanroom.engine import processes
from cleanroom.engine.cgroup import frozen, group_of
from cleanroom.engine.ports import ContainerState, Engine
from cleanroom.errors import CapabilityError, CleanroomError, EngineError
from cleanroom.faults.base import Evidence, FaultContext, Recovery
from cleanroom.faults.container.death import running
from cleanroom.faults.recovery import recover
from cleanroom.faults.rung import pinned
from cleanroom.faults.victim import visible_pid
from cleanroom.plan.model import FaultEvent

# A process that forks while it is being stopped has children that nobody has stopped yet.
STANDSTILL: Final = 5.0
_STOPPED: Final = "Tt"


class Hold(Protocol):
    """One target that is held; `held` measures from outside, without asking anything inside."""

    def hold(self) -> None:
        """Make every process stand still; raises `EngineError`."""

    def held(self) -> tuple[bool, dict[str, Json]]:
        """Return whether all of them stand still, and what was seen."""

    def release(self) -> None:
        """Let them go on; raises `EngineError`."""


class Freezer:
    """The engine's pause: the kernel's freezer."""

    def __init__(self, engine: Engine, container: Container, before: ContainerState) -> None:
        self._engine = engine
        self._container = container
        self._before = before

    def hold(self) -> None:
        """Freeze the container's control group."""
        self._engine.pause(self._container.id)

    def held(self) -> tuple[bool, dict[str, Json]]:
        """Hold when the engine says paused and, where its control group can be seen, the kernel says frozen."""
        status = self._engine.inspect(self._container.id).status
        facts: dict[str, Json] = {"status": status}
        try:
            facts["frozen"] = ice = frozen(group_of(self._before, "freezer"))
        except CleanroomError:
            # A group that is not ours to see, or that has gone with its container: the engine's word is all there is.
            ice = status == "paused"
        return status == "paused" and ice, facts

    def release(self) -> None:
        """Thaw it."""
        if self._engine.inspect(self._container.id).status == "paused":
            self._engine.unpause(self._container.id)


class Standstill:
    """SIGSTOP to each process from our side; those that stood still before are left so in the end."""

    def __init__(self, clock: Clock, container: Container) -> None:
        self._clock = clock
        self._container = container
        self._stopped: frozenset[processes.Process] = frozenset()

    def hold(self) -> None:
        """Stop every process, and those that they have started meanwhile."""
        deadline = Deadline.after(self._clock, STANDSTILL)
        while moving := self._moving():
            self._stopped |= moving
            processes.send(moving, signal.SIGSTOP)
            if deadline.expired():
                raise EngineError(f"{self._container.service} starts processes faster than they can be stopped")
            self._clock.sleep(0.005)

    def held(self) -> tuple[bool, dict[str, Json]]:
        """Hold when there are processes and none of them is in another state than stopped."""
        letters = self._letters()
        moving = sum(letter not in _STOPPED for letter in letters.values())
        return bool(letters) and not moving, {"processes": len(letters), "moving": moving}

    def release(self) -> None:
        """Continue those that were stopped here."""
        processes.send(self._stopped, signal.SIGCONT)

    def _letters(self) -> dict[processes.Process, str]:
        found = processes.letters(self._container.id)
        return {process: letter for process, letter in found.items() if letter not in "ZX"}

    def _moving(self) -> frozenset[processes.Process]:
        return frozenset(process for process, letter in self._letters().items() if letter not in _STOPPED)


class Pause:
    """Rungs: `api`, the engine's pause (the kernel's freezer); `signal`, SIGSTOP to each process, seen by those."""

    def __init__(self, event: FaultEvent, context: FaultContext, backend: Literal["api", "signal"]) -> None:
        self.backend: str = backend
        self._event = event
        self._context = context
        self._held: dict[str, Hold] = {}
        self._reverted = False
        self._recovery: Recovery | None = None

    def inject(self) -> None:
        """Hold every target."""
        for name in self._event.targets:
            container, before = running(self._context, name, "pause")
            hold: Hold = (
                Freezer(self._context.engine, container, before)
                if self.backend == "api"
                else Standstill(self._context.clock, container)
            )
            self._held[name] = hold
            hold.hold()

    def verify(self) -> Evidence:
        """Hold when all processes of every target stand still."""
        facts, moving = self._look()
        reason = f"{', '.join(moving)} was not held" if moving else ""
        return Evidence(holds=bool(facts) and not moving, facts=facts, reason=reason)

    def _look(self) -> tuple[dict[str, Json], list[str]]:
        """Return what is seen of every target, and which of them moves."""
        facts: dict[str, Json] = {}
        moving = []
        for name, hold in self._held.items():
            held, seen = hold.held()
            facts |= {f"{name}.{key}": value for key, value in seen.items()}
            if not held:
                moving.append(name)
        return facts, moving

    def revert(self) -> None:
        """Let every target go on, whatever happens to the others, and wait until each is ready."""
        if self._reverted:
            return
        errors = []
        for name, hold in self._held.items():
            try:
                hold.release()
            except EngineError as err:
                errors.append(f"{name}: {err.message}")
        if errors:
            raise EngineError("; ".join(errors))
        self._reverted = True
        if self._held:
            self._recovery = recover(
                self._context, tuple(self._held), self._context.clock.monotonic(), "heal"
            )  # fmt: skip

    def verify_reversal(self) -> Evidence:
        """Hold when no target is held any more."""
        facts, moving = self._look()
        still = [name for name in self._held if name not in moving]
        reason = f"{', '.join(still)} is still held" if still else ""
        return Evidence(holds=not still, facts=facts, reason=reason)

    def recovery(self) -> Recovery | None:
        """Return the time from the fault's end until all are ready."""
        return self._recovery


def open_pause(event: FaultEvent, context: FaultContext) -> Pause:
    """Choose the rung: the engine's, unless the kernel has no freezer; raises `CapabilityError`."""
    wanted = pinned(event, "api", "signal")
    states = [running(context, name, "pause")[1] for name in event.targets]
    if wanted != "signal" and (wanted == "api" or _freezes(states)):
        return Pause(event, context, "api")
    for state in states:
        visible_pid(state)
    return Pause(event, context, "signal")


def _freezes(states: list[ContainerState]) -> bool:
    """Whether there is a freezer, or whether that cannot be known, so that the engine is asked."""
    for state in states:
        try:
            group_of(state, "memory")
        except CapabilityError:
            continue
        try:
            group_of(state, "freezer")
        except CapabilityError:
            return False
    return True

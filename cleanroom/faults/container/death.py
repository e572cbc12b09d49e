"""How a container's first process ended, and whether a restart policy brought another one: seen by the engine."""

from __future__ import annotations

import contextlib
from datetime import datetime
from typing import Final

from cleanroom.clock import Deadline
from cleanroom.drive.reach import Container
from cleanroom.engine.ports import ContainerState
from cleanroom.errors import CapabilityError, EngineError, NetworkError
from cleanroom.faults.base import FaultContext
from cleanroom.network.bridge import forget_neighbour

DEATH_TIMEOUT: Final = 10.0
POLICY_TIMEOUT: Final = 30.0
# An engine that is going to restart a container calls it `restarting` at once; one that says `exited` is not going to.
POLICY_GRACE: Final = 2.0
EARLY: Final = "was started again before the fault's end, e.g. as what another fault waits for at its own"
ENDED: Final = ("exited", "dead", "restarting", "removing")


def running(context: FaultContext, target: str, what: str) -> tuple[Container, ContainerState]:
    """Return a target and its state; raises `CapabilityError` when it does not run: nothing is there to `what`."""
    container = context.containers[target]
    state = context.engine.inspect(container.id)
    if state.status != "running":
        raise CapabilityError(f"{target} does not run ({state.status}): there is nothing to {what}")
    return container, state


def replaced(before: ContainerState, now: ContainerState) -> bool:
    """Whether another process runs in the place of the one before."""
    return now.status == "running" and now.started_at != before.started_at


def started_since(context: FaultContext, container: Container, before: ContainerState) -> bool:
    """Whether another process runs by now, though the fault that ended the one before has not brought it."""
    try:
        return replaced(before, context.engine.inspect(container.id))
    except EngineError:
        # Another container may have taken its place, which runs or not.
        return context.containers[container.service].id != container.id


def await_death(
    context: FaultContext, container: Container, before: ContainerState, struck: float
) -> tuple[ContainerState, float | None]:
    """Wait until the process that ran is gone; return the state then, and when it died (None: it lives on).

    Times are seconds on the monotonic clock; the death is the engine's own word, which is older than our look, and
    never before `struck`.
    """
    clock = context.clock
    deadline = Deadline.after(clock, DEATH_TIMEOUT)
    pause = 0.005
    while True:
        state = context.engine.inspect(container.id)
        if state.status in ENDED or replaced(before, state):
            seen = clock.monotonic()
            # Nothing of the fault hangs on it: where the bridge is not ours to change, requests just wait longer.
            with contextlib.suppress(NetworkError):
                forget_neighbour(context.slot, container.address)
            return state, max(struck, min(seen, seen - age(state.finished_at, clock.now_ns())))
        if deadline.expired():
            return state, None
        clock.sleep(pause)
        pause = min(0.1, pause * 1.5)


def policy_trouble(context: FaultContext, container: Container, before: ContainerState) -> str:
    """Wait until the restart policy has brought another process; return why it did not, or ""."""
    clock = context.clock
    deadline = Deadline.after(clock, POLICY_TIMEOUT)
    hopeless = Deadline.after(clock, POLICY_GRACE)
    pause = 0.01
    while True:
        state = context.engine.inspect(container.id)
        if replaced(before, state):
            return ""
        if state.status == "restarting":
            hopeless = Deadline.after(clock, POLICY_GRACE)
        if deadline.expired() or hopeless.expired():
            return (
                f"the restart policy of {container.service} did not bring it back ({state.status}, "
                f"exit code {state.exit_code}, {state.restart_count} restarts)"
            )
        clock.sleep(pause)
        pause = min(0.2, pause * 1.5)


def age(finished_at: str, now_ns: int) -> float:
    """Return the seconds since the engine's time stamp (RFC 3339, nanoseconds); 0 when it has none."""
    try:
        moment = datetime.fromisoformat(finished_at)
    except ValueError:
        return 0.0
    return max(0.0, now_ns / 10**9 - moment.timestamp()) if moment.year > 1 and moment.tzinfo is not None else 0.0

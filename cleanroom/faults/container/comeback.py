"""Targets that come back by themselves while the fault still lasts: their time does not wait for the fault's end."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from cleanroom.clock import Deadline
from cleanroom.drive.reach import Container
from cleanroom.engine.ports import ContainerState
from cleanroom.errors import CleanroomError
from cleanroom.faults.base import FaultContext, Recovery
from cleanroom.faults.container.death import policy_trouble
from cleanroom.faults.recovery import recover

JOIN_TIMEOUT: Final = 300.0
LINGERING: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Struck:
    """A target as it was; `policy` says whether its restart policy is what brings it back, rather than a start."""

    container: Container
    before: ContainerState
    policy: bool = False

    @property
    def name(self) -> str:
        """The service."""
        return self.container.service


class Comeback:
    """Waits from now on, in a thread, until every target is back; counts from `since` (monotonic seconds)."""

    def __init__(self, context: FaultContext, struck: Sequence[Struck], since: float) -> None:
        self._context = context
        self._struck = tuple(struck)
        self._since = since
        self._found: Recovery | None = None
        self._thread = threading.Thread(target=self._wait, name="recovery", daemon=True)
        self._thread.start()

    def result(self) -> Recovery | None:
        """Return how they came back, when that is known; None only where waiting itself was given up."""
        self._thread.join(JOIN_TIMEOUT)
        return self._found

    def _wait(self) -> None:
        self._found = come_back(self._context, self._struck, self._since)


def come_back(context: FaultContext, struck: Sequence[Struck], since: float) -> Recovery:
    """Wait until every target is back, by its policy or by a start; counts from `since`; raises nothing of ours."""
    troubles, present = [], []
    for one in struck:
        trouble = _policy(context, one) if one.policy else ""
        if trouble:
            troubles.append(trouble)
        else:
            present.append(one.name)
    found = recover(context, present, since, "policy" if any(one.policy for one in struck) else "start")
    if not troubles:
        return found
    reasons = (*troubles, *((found.reason,) if found.reason else ()))
    now = context.clock.monotonic()
    return replace(found, success=False, reason="; ".join(reasons), duration_ns=round((now - since) * 10**9))


def ended(context: FaultContext, one: Struck) -> bool:
    """Whether the container has ended since, or runs as another process; raises `EngineError`."""
    now = context.engine.inspect(one.container.id)
    return now.status != "running" or now.started_at != one.before.started_at


def await_ends(context: FaultContext, struck: Sequence[Struck]) -> list[Struck]:
    """Return the targets whose containers ended: a first process may outlive what was killed beneath it for a while."""
    deadline = Deadline.after(context.clock, LINGERING)
    while True:
        found = [one for one in struck if ended(context, one)]
        if len(found) == len(struck) or deadline.expired():
            return found
        context.clock.sleep(0.02)


def way_back(context: FaultContext, struck: Sequence[Struck], since: float) -> Recovery:
    """Wait until every target is ready: by policy or start where its container ended, else by itself."""
    gone = {one.name for one in struck if ended(context, one)}
    if not gone:
        return recover(context, [one.name for one in struck], since, "heal")
    return come_back(context, [replace(one, policy=one.policy and one.name in gone) for one in struck], since)


def _policy(context: FaultContext, one: Struck) -> str:
    try:
        return policy_trouble(context, one.container, one.before)
    except CleanroomError as err:
        return err.message

"""`container.crash_loop(every, times)`: killed again and again, and brought back each time."""

from __future__ import annotations

import signal
import threading
from dataclasses import dataclass, field
from typing import Final, cast

from cleanroom.canonical import Json
from cleanroom.clock import Deadline
from cleanroom.engine.ports import ContainerState
from cleanroom.errors import CapabilityError, CleanroomError
from cleanroom.faults.base import Evidence, FaultContext, Recovery
from cleanroom.faults.container.comeback import Struck, come_back
from cleanroom.faults.container.death import await_death, running
from cleanroom.faults.rung import pinned
from cleanroom.faults.victim import send_signal, visible_pid
from cleanroom.plan.model import FaultEvent
from cleanroom.quantity import Duration

# An engine doubles the pause before each restart by a policy, up to a minute.
BACK_TIMEOUT: Final = 90.0
JOIN_TIMEOUT: Final = 120.0


@dataclass(slots=True)
class _Loop:
    """One target and its deaths; `kills` counts those that were seen to end a process."""

    target: Struck
    kills: int = 0
    codes: list[int] = field(default_factory=list)
    last: Struck | None = None
    died: float = 0.0
    trouble: str = ""
    first: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread | None = None


class CrashLoop:
    """Rungs as of `container.kill`: `api` with a start of ours, `pid` where a restart policy is to bring it back."""

    def __init__(self, event: FaultEvent, context: FaultContext, backend: str) -> None:
        self.backend = backend
        self._event = event
        self._context = context
        self._clock = context.clock
        self._every = cast("Duration", event.parameters["every"]).seconds
        self._times = cast("int | None", event.parameters.get("times"))
        self._over = threading.Event()
        self._loops: list[_Loop] = []
        self._recovery: Recovery | None = None
        self._reverted = False

    def inject(self) -> None:
        """Kill every target for the first time, and go on in the background."""
        for name in self._event.targets:
            container, before = running(self._context, name, "kill")
            policy = self.backend == "pid"
            loop = _Loop(Struck(container=container, before=before, policy=policy))
            self._loops.append(loop)
            loop.thread = threading.Thread(target=self._run, args=(loop,), name=f"crash loop {name}", daemon=True)
            loop.thread.start()
        for loop in self._loops:
            loop.first.wait(JOIN_TIMEOUT)

    def _run(self, loop: _Loop) -> None:
        try:
            state = loop.target.before
            while True:
                began = self._clock.monotonic()
                self._kill(loop, state)
                loop.first.set()
                rest = self._every - (self._clock.monotonic() - began)
                if loop.kills == self._times or self._over.wait(max(0.0, rest)):
                    return
                found = self._running_again(loop, state)
                if found is None:
                    return
                state = found
        except CleanroomError as err:
            loop.trouble = err.message
        finally:
            loop.first.set()

    def _kill(self, loop: _Loop, state: ContainerState) -> None:
        container, struck = loop.target.container, self._clock.monotonic()
        if self.backend == "pid":
            send_signal(state, signal.SIGKILL)
        else:
            self._context.engine.kill(container.id, "KILL")
        after, died = await_death(self._context, container, state, struck)
        if died is None:
            raise CapabilityError(f"{container.service} survived SIGKILL")
        loop.kills += 1
        loop.codes.append(after.exit_code)
        loop.last, loop.died = Struck(container=container, before=state, policy=loop.target.policy), died
        # The last death is for the recovery to end; between two, nobody else starts what has no policy.
        if self.backend == "api" and loop.kills != self._times and not self._over.is_set():
            self._context.engine.start(container.id)

    def _running_again(self, loop: _Loop, before: ContainerState) -> ContainerState | None:
        """Return the state of the process that was started next; None when the fault ended first."""
        deadline = Deadline.after(self._clock, BACK_TIMEOUT)
        while not self._over.is_set():
            state = self._context.engine.inspect(loop.target.container.id)
            if state.status == "running" and state.started_at != before.started_at:
                return state
            if deadline.expired() or state.status == "exited":
                raise CapabilityError(f"{loop.target.name} was not started again ({state.status})")
            self._over.wait(0.02)
        return None

    def verify(self) -> Evidence:
        """Hold when every target was killed once by now; `verify_reversal` tells of the rest."""
        return self._evidence()

    def _evidence(self) -> Evidence:
        facts: dict[str, Json] = {}
        wrong = []
        for loop in self._loops:
            facts[f"{loop.target.name}.kills"] = loop.kills
            facts[f"{loop.target.name}.exit_codes"] = ", ".join(map(str, loop.codes))
            if not loop.kills:
                wrong.append(loop.trouble or f"{loop.target.name} was not killed")
        return Evidence(holds=bool(self._loops) and not wrong, facts=facts, reason="; ".join(wrong))

    def revert(self) -> None:
        """Kill no more, and wait until every target is back."""
        if self._reverted:
            return
        self._reverted = True
        self._over.set()
        for loop in self._loops:
            if loop.thread is not None:
                loop.thread.join(JOIN_TIMEOUT)
        struck = [loop.last for loop in self._loops if loop.last is not None]
        if struck:
            self._recovery = come_back(self._context, struck, max(loop.died for loop in self._loops))

    def verify_reversal(self) -> Evidence:
        """Hold when nobody kills any more; its effect lapsed where a target was killed less often than asked."""
        found = self._evidence()
        alive = [loop.target.name for loop in self._loops if loop.thread is not None and loop.thread.is_alive()]
        short = [
            f"{loop.target.name} was killed {loop.kills} times, not {self._times}"
            for loop in self._loops
            if self._times is not None and loop.kills != self._times
        ]
        lapsed = [*(loop.trouble for loop in self._loops if loop.trouble), *short]
        reason = f"{', '.join(alive)} is still being killed" if alive else ""
        return Evidence(holds=not alive, facts=found.facts, reason=reason, lapsed="; ".join(lapsed))

    def recovery(self) -> Recovery | None:
        """Return the time from the last death to readiness."""
        return self._recovery


def open_crash_loop(event: FaultEvent, context: FaultContext) -> CrashLoop:
    """Choose the rung; raises `CapabilityError` when a policy must act and its process is not ours to signal."""
    wanted = pinned(event, "api", "pid")
    policies = {name: context.policy_restarts.get(name, False) for name in event.targets}
    if wanted == "api" and any(policies.values()):
        raise CapabilityError(
            "backend api: an engine's own kill never wakes a restart policy", remedy="use backend auto or pid"
        )
    if len(set(policies.values())) > 1 or (wanted == "pid" and not all(policies.values())):
        raise CapabilityError(
            "backend pid needs a restart policy on every target: nobody else would start it again",
            remedy="give each target `restart:`, or none of them",
        )
    if not all(policies.values()):
        return CrashLoop(event, context, "api")
    for name in event.targets:
        visible_pid(running(context, name, "kill")[1])
    return CrashLoop(event, context, "pid")

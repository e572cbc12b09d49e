"""`container.restart(times, grace)`: stopped in an orderly way and started again, so many times in a row."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import cast

from cleanroom.canonical import Json
from cleanroom.drive.reach import Container
from cleanroom.engine.ports import ContainerState
from cleanroom.faults.base import Evidence, FaultContext, Recovery
from cleanroom.faults.container.comeback import Comeback, Struck
from cleanroom.faults.container.death import running
from cleanroom.faults.container.stop import TOGETHER
from cleanroom.faults.rung import pinned
from cleanroom.plan.model import FaultEvent
from cleanroom.quantity import Duration


@dataclass(frozen=True, slots=True, kw_only=True)
class _Round:
    """One restart of one target: before, between and after."""

    container: Container
    before: ContainerState
    ended: ContainerState
    after: ContainerState

    @property
    def done(self) -> bool:
        """Whether the process ended and another one was started in its place."""
        return self.ended.status == "exited" and self.after.started_at not in ("", self.before.started_at)


class Restart:
    """Rung `api`: the engine's stop and start; which of the two a restart policy knows nothing of."""

    backend = "api"

    def __init__(self, event: FaultEvent, context: FaultContext) -> None:
        self._event = event
        self._context = context
        self._times = cast("int", event.parameters["times"])
        self._grace = cast("Duration", event.parameters["grace"])
        self._rounds: list[_Round] = []
        self._struck: list[Struck] = []
        self._comeback: Comeback | None = None

    def inject(self) -> None:
        """Restart every target, all at once, as often as asked; nobody waits for readiness in between."""
        found = [running(self._context, name, "restart") for name in self._event.targets]
        self._struck = [Struck(container=container, before=before) for container, before in found]
        try:
            with ThreadPoolExecutor(TOGETHER, thread_name_prefix="restart") as pool:
                list(pool.map(self._restart, self._struck))
        finally:
            self._comeback = Comeback(self._context, self._struck, self._context.clock.monotonic())

    def _restart(self, target: Struck) -> None:
        engine = self._context.engine
        container, before = target.container, target.before
        for _ in range(self._times):
            engine.stop(container.id, self._grace)
            ended = engine.inspect(container.id)
            engine.start(container.id)
            after = engine.inspect(container.id)
            self._rounds.append(_Round(container=container, before=before, ended=ended, after=after))
            before = after

    def verify(self) -> Evidence:
        """Hold when every target ended and was started again as often as asked."""
        facts: dict[str, Json] = {}
        short = []
        for target in self._struck:
            mine = [one for one in self._rounds if one.container.service == target.name]
            done = sum(one.done for one in mine)
            facts[f"{target.name}.restarts"] = done
            facts[f"{target.name}.exit_codes"] = ", ".join(str(one.ended.exit_code) for one in mine)
            facts[f"{target.name}.pid_before"] = target.before.pid
            facts[f"{target.name}.pid_after"] = mine[-1].after.pid if mine else 0
            if done != self._times:
                short.append(f"{target.name} was restarted {done} times, not {self._times}")
        return Evidence(holds=bool(self._struck) and not short, facts=facts, reason="; ".join(short))

    def revert(self) -> None:
        """Wait until every target is ready: there is nothing else to undo."""
        if self._comeback is not None:
            self._comeback.result()

    def verify_reversal(self) -> Evidence:
        """Hold always: a restart leaves nothing behind; whether the target came back is for `recovery` to say."""
        states = {one.name: self._context.engine.inspect(one.container.id) for one in self._struck}
        return Evidence(holds=True, facts={f"{name}.status": state.status for name, state in states.items()})

    def recovery(self) -> Recovery | None:
        """Return the time from the last start to readiness."""
        return self._comeback.result() if self._comeback is not None else None


def open_restart(event: FaultEvent, context: FaultContext) -> Restart:
    """Return the fault; raises `CapabilityError` for a rung that does not exist."""
    pinned(event, "api")
    return Restart(event, context)

"""`container.recreate(keep_volumes)`: the container is removed, and another one of the same declaration is started."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from cleanroom.canonical import Json
from cleanroom.engine.ports import ContainerState
from cleanroom.errors import EngineError
from cleanroom.faults.base import Evidence, FaultContext, Recovery
from cleanroom.faults.container.comeback import Comeback, Struck
from cleanroom.faults.container.death import running
from cleanroom.faults.rung import pinned
from cleanroom.plan.model import FaultEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class _Replaced:
    """One target: both containers, and the volumes of each."""

    old: ContainerState
    new: ContainerState
    had: Mapping[str, str]
    has: Mapping[str, str]


class Recreate:
    """Rung `api`: the engine removes the one and makes the other, with the same name, address and limits."""

    backend = "api"

    def __init__(self, event: FaultEvent, context: FaultContext) -> None:
        self._event = event
        self._context = context
        self._keep = cast("bool", event.parameters["keep_volumes"])
        self._replaced: dict[str, _Replaced] = {}
        self._struck: list[Struck] = []
        self._comeback: Comeback | None = None

    def inject(self) -> None:
        """Replace every target and start what took its place."""
        engine = self._context.engine
        try:
            for name in self._event.targets:
                container, old = running(self._context, name, "recreate")
                had = engine.volumes(container.id)
                made = self._context.recreate(name, keep_volumes=self._keep)
                self._struck.append(Struck(container=made, before=old))
                engine.start(made.id)
                self._replaced[name] = _Replaced(
                    old=old, new=engine.inspect(made.id), had=had, has=engine.volumes(made.id)
                )
        finally:
            if self._struck:
                self._comeback = Comeback(self._context, self._struck, self._context.clock.monotonic())

    def verify(self) -> Evidence:
        """Hold when the old container is gone, another runs at its address, and the volumes are as asked for."""
        facts: dict[str, Json] = {}
        wrong: list[str] = []
        for name, one in self._replaced.items():
            gone = self._is_gone(one.old.id)
            kept = sorted(path for path in one.had if one.has.get(path) == one.had[path])
            facts[f"{name}.container_before"] = one.old.id[:12]
            facts[f"{name}.container_after"] = one.new.id[:12]
            facts[f"{name}.address"] = one.new.address
            facts[f"{name}.volumes"] = len(one.had)
            facts[f"{name}.volumes_kept"] = len(kept)
            if one.new.id == one.old.id or not gone:
                wrong.append(f"the container of {name} was not replaced")
            if one.new.address != one.old.address:
                wrong.append(f"{name} has another address: {one.new.address}")
            if len(kept) != (len(one.had) if self._keep else 0):
                wrong.append(f"{len(kept)} of {len(one.had)} volumes of {name} are the same as before")
        return Evidence(holds=bool(self._replaced) and not wrong, facts=facts, reason="; ".join(wrong))

    def _is_gone(self, container: str) -> bool:
        try:
            self._context.engine.inspect(container)
        except EngineError as err:
            return "no such container" in err.message.lower()
        return False

    def revert(self) -> None:
        """Wait until every target is ready: the old container cannot come back."""
        if self._comeback is not None:
            self._comeback.result()

    def verify_reversal(self) -> Evidence:
        """Hold always: what took its place is of the same declaration; `recovery` says whether it became ready."""
        states = {one.name: self._context.engine.inspect(one.container.id) for one in self._struck}
        return Evidence(holds=True, facts={f"{name}.status": state.status for name, state in states.items()})

    def recovery(self) -> Recovery | None:
        """Return the time from the start of the new container to readiness."""
        return self._comeback.result() if self._comeback is not None else None


def open_recreate(event: FaultEvent, context: FaultContext) -> Recreate:
    """Return the fault; raises `CapabilityError` for a rung that does not exist."""
    pinned(event, "api")
    return Recreate(event, context)

"""`process.zombies(count)` and `process.fork_bomb(pids)`: processes of ours inside a container, bounded by number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from cleanroom.canonical import Json
from cleanroom.engine.cgroup import Group, group_of
from cleanroom.engine.ports import ContainerState
from cleanroom.errors import CapabilityError, CleanroomError, EngineError
from cleanroom.faults.base import Evidence, FaultContext, Recovery
from cleanroom.faults.container.death import running
from cleanroom.faults.process.inside import Inside, enter
from cleanroom.faults.recovery import recover
from cleanroom.faults.rung import pinned
from cleanroom.faults.victim import visible_pid
from cleanroom.plan.model import FaultEvent

_TIMEOUT: Final = 60.0


@dataclass(slots=True)
class Crowd:
    """One target: as it was, its group of processes and threads, and what of ours is in it."""

    name: str
    before: ContainerState
    group: Group
    zombies_before: int
    limit_before: str
    refusals_before: int
    inode: int
    inside: Inside | None = None

    @property
    def same_group(self) -> bool:
        """Whether the group is the one that was found: a restarted container has another at the same place."""
        try:
            return self.group.place.stat().st_ino == self.inode
        except OSError:
            return False


class Crowded:
    """One occurrence: the crowd is made inside each target, and ends with the fault."""

    def __init__(self, event: FaultEvent, context: FaultContext, backend: str) -> None:
        self.backend = backend
        self._bomb = event.fault.kind == "process.fork_bomb"
        self._event = event
        self._context = context
        self._count = cast("int", event.parameters["pids" if self._bomb else "count"])
        self._crowds: list[Crowd] = []
        self._recovery: Recovery | None = None
        self._reverted = False

    def inject(self) -> None:
        """Enter every target and make the crowd there."""
        for name in self._event.targets:
            before = running(self._context, name, "crowd")[1]
            pid = visible_pid(before)
            group = group_of(before, "pids")
            crowd = Crowd(
                name=name, before=before, group=group, zombies_before=zombies(pid),
                limit_before=group.read("pids.max"), refusals_before=group.number("pids.events", "max") or 0,
                inode=group.place.stat().st_ino,
            )  # fmt: skip
            if self._bomb and (group.number("pids.current") or 0) >= self._count:
                raise CapabilityError(
                    f"{name} has {group.number('pids.current')} processes and threads already, "
                    f"so a limit of {self._count} leaves none to start",
                    remedy="ask for more `pids`",
                )
            self._crowds.append(crowd)
            if self._bomb:
                group.write("pids.max", str(self._count))
            task: dict[str, Json] = {"do": "sleep" if self._bomb else "end", "count": self._count, "pid": pid}
            crowd.inside = enter((group,), task, _TIMEOUT)

    def verify(self) -> Evidence:
        """Hold when the zombies are there, or when the limit is full and has refused."""
        facts: dict[str, Json] = {}
        wrong = []
        for crowd in self._crowds:
            said = crowd.inside.said if crowd.inside is not None else {}
            facts[f"{crowd.name}.made"] = said.get("made", 0)
            short = self._bombed(crowd, facts) if self._bomb else self._undead(crowd, facts)
            if short:
                wrong.append(f"{short} ({said['error']})" if said.get("error") and not self._bomb else short)
        return Evidence(holds=bool(self._crowds) and not wrong, facts=facts, reason="; ".join(wrong))

    def _undead(self, crowd: Crowd, facts: dict[str, Json]) -> str:
        found = zombies(crowd.before.pid) - crowd.zombies_before
        facts[f"{crowd.name}.zombies"] = found
        return "" if found >= self._count else f"{found} zombies in {crowd.name}, not {self._count}"

    def _bombed(self, crowd: Crowd, facts: dict[str, Json]) -> str:
        current = crowd.group.number("pids.current")
        refused = (crowd.group.number("pids.events", "max") or 0) - crowd.refusals_before
        facts[f"{crowd.name}.pids_current"] = current
        facts[f"{crowd.name}.pids_max"] = crowd.group.read("pids.max")
        facts[f"{crowd.name}.refused"] = refused
        full = current is not None and current >= self._count
        return "" if full and refused > 0 else f"{crowd.name}: {current} of {self._count} pids, {refused} refused"

    def revert(self) -> None:
        """End the crowd and put the limit back, in every target whatever happens in another."""
        if self._reverted:
            return
        errors = []
        for crowd in self._crowds:
            for act in (self._disperse, self._restore):
                try:
                    act(crowd)
                except CleanroomError as err:
                    errors.append(f"{crowd.name}: {err.message}")
        if errors:
            raise EngineError("; ".join(errors))
        self._reverted = True
        if self._crowds:
            names = [crowd.name for crowd in self._crowds]
            self._recovery = recover(self._context, names, self._context.clock.monotonic(), "heal")

    @staticmethod
    def _disperse(crowd: Crowd) -> None:
        if crowd.inside is not None:
            crowd.inside.end()

    def _restore(self, crowd: Crowd) -> None:
        if self._bomb and crowd.same_group:
            crowd.group.write("pids.max", crowd.limit_before)

    def verify_reversal(self) -> Evidence:
        """Hold when no process of ours is left, no more zombies than before, and the limit is the old one."""
        facts: dict[str, Json] = {}
        left = []
        lapsed = []
        for crowd in self._crowds:
            if crowd.inside is not None and crowd.inside.alive:
                left.append(f"a process of ours still runs in {crowd.name}")
            now = self._context.engine.inspect(crowd.before.id)
            if now.started_at != crowd.before.started_at or now.status != "running":
                lapsed.append(f"{crowd.name} ended under the fault")
                continue
            facts[f"{crowd.name}.zombies"] = more = zombies(crowd.before.pid) - crowd.zombies_before
            facts[f"{crowd.name}.pids_max"] = limit = crowd.group.read("pids.max")
            if not self._bomb and more >= self._count:
                left.append(f"{more} zombies are left in {crowd.name}")
            if limit != crowd.limit_before:
                left.append(f"the limit of {crowd.name} is {limit}, not {crowd.limit_before}")
        return Evidence(holds=not left, facts=facts, reason="; ".join(left), lapsed="; ".join(lapsed))

    def recovery(self) -> Recovery | None:
        """Return the time from the fault's end until all are ready."""
        return self._recovery


def zombies(pid: int, proc: Path = Path("/proc")) -> int:
    """Return how many processes have ended and wait for their parents in the pid namespace of `pid`."""
    try:
        namespace = (proc / str(pid) / "ns/pid").readlink()
    except OSError:
        return 0
    return sum(_is_zombie(entry, namespace) for entry in proc.glob("[0-9]*"))


def _is_zombie(entry: Path, namespace: Path) -> bool:
    try:
        text = (entry / "stat").read_text("utf-8", "replace")
        return text[text.rindex(")") + 2] == "Z" and (entry / "ns/pid").readlink() == namespace
    except OSError:
        return False


def _opener(rung: str) -> Callable[[FaultEvent, FaultContext], Crowded]:
    def open_one(event: FaultEvent, context: FaultContext) -> Crowded:
        pinned(event, rung)
        return Crowded(event, context, rung)

    return open_one


open_zombies = _opener("pid")
open_fork_bomb = _opener("cgroup")

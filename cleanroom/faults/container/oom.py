"""`container.oom(memory)`: less memory, and a process of ours that takes it, until the kernel kills one of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from cleanroom.canonical import Json
from cleanroom.engine.cgroup import Group, group_of
from cleanroom.engine.processes import members
from cleanroom.errors import CapabilityError, CleanroomError, EngineError
from cleanroom.faults.base import Evidence, FaultContext, Recovery
from cleanroom.faults.container.comeback import Comeback, Struck, await_ends, way_back
from cleanroom.faults.container.death import running
from cleanroom.faults.process.inside import enter
from cleanroom.faults.rung import pinned
from cleanroom.faults.victim import visible_pid
from cleanroom.plan.model import FaultEvent
from cleanroom.quantity import Size

_TIMEOUT: Final = 30.0
# What is taken at most above the limit: the kernel cannot give as much.
_ABOVE: Final = 8 << 20


@dataclass(slots=True)
class _Squeezed:
    """One target: as it was, its memory group, the limits that it had, and what the kernel counted."""

    target: Struck
    group: Group
    limits: dict[str, str]
    inode: int
    said: dict[str, Json]

    def same_group(self) -> bool:
        """Whether the group is the one that was found: a container that was started again has another."""
        try:
            return self.group.place.stat().st_ino == self.inode
        except OSError:
            return False


class Oom:
    """Rung `cgroup`: limits for memory and for memory with swap, written where the kernel keeps them.

    The engine's own idea of the limit stays, so a container that is started again has the old one by itself.
    """

    backend = "cgroup"

    def __init__(self, event: FaultEvent, context: FaultContext) -> None:
        self._event = event
        self._context = context
        self._memory = cast("Size", event.parameters["memory"]).bytes
        self._squeezed: list[_Squeezed] = []
        self._comeback: Comeback | None = None
        self._recovery: Recovery | None = None
        self._reverted = False

    def inject(self) -> None:
        """Lower the limit of every target and take memory until the kernel has killed."""
        for name in self._event.targets:
            container, before = running(self._context, name, "squeeze")
            visible_pid(before)
            group = group_of(before, "memory")
            policy = self._context.policy_restarts.get(name, False)
            one = _Squeezed(
                target=Struck(container=container, before=before, policy=policy), group=group,
                limits={file: group.read(file) for file in limit_files(group)}, said={},
                inode=group.place.stat().st_ino,
            )  # fmt: skip
            self._squeezed.append(one)
            self._lower(one)
            counter = group.place / ("memory.events" if group.version > 1 else "memory.oom_control")
            task: dict[str, Json] = {"do": "memory", "most": self._memory + _ABOVE, "counter": str(counter)}
            with preferred(before.id):
                inside = enter((group,), task, _TIMEOUT)
                one.said = inside.said
                inside.end()

    def _lower(self, one: _Squeezed) -> None:
        for file, before in one.limits.items():
            if before.isdigit() and int(before) < self._memory and "swap.max" not in file:
                raise CapabilityError(
                    f"the limit of {one.target.name} is {before} bytes already, below what is asked for"
                )
        # Version 1 refuses a limit below what is in use; version 2 kills for it at once, before anybody counts.
        if one.group.version > 1 and (used := in_use(one.group)) >= self._memory:
            raise CapabilityError(
                f"{one.target.name} uses {used} bytes: the limit itself would kill it", remedy="ask for more `memory`"
            )
        try:
            for file in one.limits:
                one.group.write(file, "0" if file == "memory.swap.max" else str(self._memory))
        except EngineError as err:
            raise CapabilityError(
                f"{one.target.name} uses {in_use(one.group)} bytes, and this kernel sets no limit below that: "
                f"{err.message}",
                remedy="ask for more `memory`",
            ) from err

    def verify(self) -> Evidence:
        """Hold when the kernel has killed in every target's group for its memory."""
        facts: dict[str, Json] = {}
        spared = []
        for one in self._squeezed:
            name = one.target.name
            now = self._context.engine.inspect(one.target.container.id)
            killed = cast("int", one.said.get("kills", 0))
            facts |= {
                f"{name}.oom_kills": killed, f"{name}.memory_limit": self._memory,
                f"{name}.status": now.status,
                f"{name}.exit_code": now.exit_code, f"{name}.oom_killed": now.oom_killed,
            }  # fmt: skip
            if not killed:
                spared.append(name)
        if gone := await_ends(self._context, [one.target for one in self._squeezed if one.target.policy]):
            self._comeback = Comeback(self._context, gone, self._context.clock.monotonic())
        reason = f"the kernel killed nothing in {', '.join(spared)}" if spared else ""
        return Evidence(holds=bool(self._squeezed) and not spared, facts=facts, reason=reason)

    def revert(self) -> None:
        """Put every limit back where its group still is, and wait until every target is ready."""
        if self._reverted:
            return
        errors = []
        for one in self._squeezed:
            try:
                restore(one.group, one.limits if one.same_group() else {})
            except CleanroomError as err:
                # The group may have gone with its container between the two looks.
                if one.same_group():
                    errors.append(f"{one.target.name}: {err.message}")
        if errors:
            raise EngineError("; ".join(errors))
        self._reverted = True
        if self._comeback is not None:
            self._recovery = self._comeback.result()
        elif self._squeezed:
            self._recovery = way_back(
                self._context, [one.target for one in self._squeezed], self._context.clock.monotonic()
            )

    def verify_reversal(self) -> Evidence:
        """Hold when no group has the fault's limit any more."""
        facts: dict[str, Json] = {}
        left = []
        for one in self._squeezed:
            name = one.target.name
            state = self._context.engine.inspect(one.target.container.id)
            if state.status != "running":
                facts[f"{name}.status"] = state.status
                continue
            group = group_of(state, "memory")
            for file, before in one.limits.items():
                facts[f"{name}.{file}"] = now = group.read(file)
                if now != before:
                    left.append(f"{file} of {name} is {now}, not {before}")
        return Evidence(holds=not left, facts=facts, reason="; ".join(left))

    def recovery(self) -> Recovery | None:
        """Return how the targets came back: by a policy from the death, else from the fault's end."""
        return self._recovery


@contextlib.contextmanager
def preferred(container: str, proc: Path = Path("/proc")) -> Iterator[None]:
    """Make the kernel choose among the container's own processes: ours, which takes the memory, is the biggest.

    A score may be raised, and lowered to what it was, without a capability; less than that needs one.
    """
    before = {}
    for process in members(container):
        # It may end meanwhile, and a process that is not ours to rate keeps its score.
        with contextlib.suppress(OSError):
            score = proc / str(process.pid) / "oom_score_adj"
            before[process] = (score, score.read_text(encoding="ascii"))
            score.write_text("1000", encoding="ascii")
    try:
        yield
    finally:
        alive = members(container)
        for process, (score, old) in before.items():
            if process in alive:
                with contextlib.suppress(OSError):
                    score.write_text(old, encoding="ascii")


def limit_files(group: Group) -> tuple[str, ...]:
    """Return the files of a memory group's limits, in the order in which they can be lowered."""
    if group.version > 1:
        names: tuple[str, ...] = ("memory.swap.max", "memory.max")
    else:
        names = ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes")
    return tuple(name for name in names if (group.place / name).exists())


def in_use(group: Group) -> int:
    """Return the bytes in use that the kernel cannot simply drop; 0 where it does not say."""
    first = group.version == 1
    used = group.number("memory.usage_in_bytes" if first else "memory.current") or 0
    return used - (group.number("memory.stat", "total_inactive_file" if first else "inactive_file") or 0)


def restore(group: Group, limits: dict[str, str]) -> None:
    """Write limits back, in the order in which they can be raised; raises `EngineError`."""
    for file, before in reversed(limits.items()):
        group.write(file, before)


def open_oom(event: FaultEvent, context: FaultContext) -> Oom:
    """Return the fault; raises `CapabilityError` for a rung that does not exist."""
    pinned(event, "cgroup")
    return Oom(event, context)

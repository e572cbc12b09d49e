"""`container.exit(code, times)`: the next starts end with a code before the command is executed."""

from __future__ import annotations

import contextlib
import os
import platform
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, cast

from cleanroom.canonical import Json
from cleanroom.clock import Deadline
from cleanroom.drive.reach import Container
from cleanroom.engine.ports import Command, ContainerSpec, ContainerState
from cleanroom.errors import CapabilityError
from cleanroom.faults.base import Evidence, FaultContext, Recovery
from cleanroom.faults.container.comeback import Comeback, Struck
from cleanroom.faults.container.death import ENDED, running
from cleanroom.faults.container.wrapper import FOLDER, MACHINE, PROGRAM, archive
from cleanroom.faults.recovery import recover
from cleanroom.faults.rung import pinned
from cleanroom.faults.victim import visible_pid
from cleanroom.plan.model import FaultEvent

_FIRST_END: Final = 10.0


@dataclass(slots=True)
class _Ending:
    """One target: the container that was made for it, and the exit codes that were seen."""

    struck: Struck
    codes: list[int] = field(default_factory=list)

    @property
    def container(self) -> Container:
        return self.struck.container

    @property
    def name(self) -> str:
        return self.struck.name


class Exit:
    """Rung `entrypoint`: another container of the same declaration and volumes, with a program of ours in front.

    Whose restart policy acts is started by that; who has none is started by the runner, `times` times.
    """

    backend = "entrypoint"

    def __init__(self, event: FaultEvent, context: FaultContext) -> None:
        self._event = event
        self._context = context
        self._clock = context.clock
        self._code = cast("int", event.parameters["code"])
        self._times = cast("int", event.parameters["times"])
        self._endings: list[_Ending] = []
        self._comeback: Comeback | None = None
        self._recovery: Recovery | None = None
        self._lapses: list[str] = []
        self._reverted = False

    def inject(self) -> None:
        """Make the other container of every target and start it."""
        for name in self._event.targets:
            _, before = running(self._context, name, "end")
            self._strike(name, before)

    def _strike(self, name: str, before: ContainerState) -> None:
        engine = self._context.engine
        command = engine.command(before.id)
        found = found_program(command, visible_pid(before))

        def wrapped(spec: ContainerSpec) -> ContainerSpec:
            return replace(spec, entrypoint=(PROGRAM, found), command=command.words[1:])

        made = self._context.recreate(name, keep_volumes=True, change=wrapped)
        policy = self._context.policy_restarts.get(name, False)
        ending = _Ending(Struck(container=made, before=before, policy=policy))
        self._endings.append(ending)
        engine.unpack(made.id, archive(self._code, self._times))
        for _ in range(1 if policy else self._times):
            before = engine.inspect(made.id)
            engine.start(made.id)
            if not self._await_end(ending, before):
                return

    def _await_end(self, ending: _Ending, before: ContainerState) -> bool:
        """Note the code of the end that follows a start; False when none was seen, so that it runs by now.

        By a policy it may run again before anybody looks.
        """
        deadline = Deadline.after(self._clock, _FIRST_END)
        while not deadline.expired():
            state = self._context.engine.inspect(ending.container.id)
            if state.status in ENDED and state.finished_at != before.finished_at:
                ending.codes.append(state.exit_code)
                return True
            if state.status == "running" and ending.struck.policy and state.restart_count >= self._times:
                return False
            self._clock.sleep(0.005)
        return False

    def verify(self) -> Evidence:
        """Hold when every end that was seen had the code, and there were as many as can be had by now."""
        facts: dict[str, Json] = {}
        wrong = []
        for ending in self._endings:
            facts[f"{ending.name}.exit_codes"] = ", ".join(map(str, ending.codes))
            wanted = 1 if ending.struck.policy else self._times
            if len(ending.codes) < wanted or set(ending.codes) != {self._code}:
                seen = ", ".join(map(str, ending.codes)) or "no code"
                wrong.append(f"{ending.name} ended with {seen}, not {wanted} times with {self._code}")
        loyal = [ending.struck for ending in self._endings if ending.struck.policy]
        if loyal and not wrong:
            self._comeback = Comeback(self._context, loyal, self._clock.monotonic())
        return Evidence(holds=bool(self._endings) and not wrong, facts=facts, reason="; ".join(wrong))

    def revert(self) -> None:
        """Take away what is left of the count, start who does not run, and wait until all are ready."""
        if self._reverted:
            return
        self._reverted = True
        since = self._clock.monotonic()
        for ending in self._endings:
            self._lapses += self._uncount(ending)
        if self._comeback is not None:
            self._recovery = self._comeback.result()
            if self._recovery is None or not self._recovery.success:
                # That it did not come back stands; nobody after this fault is to find it dead.
                recover(self._context, [ending.name for ending in self._endings], since, "start")
        elif self._endings:
            self._recovery = recover(self._context, [ending.name for ending in self._endings], since, "start")

    def _uncount(self, ending: _Ending) -> list[str]:
        """Make sure that the next start is the command's; return what the fault had not come to by then."""
        engine = self._context.engine
        state = engine.inspect(ending.container.id)
        done = state.restart_count if ending.struck.policy else len(ending.codes)
        if state.status == "running":
            leftovers(state, remove=True)
        elif done < self._times:
            # Between two starts nobody can look into it; another container has nothing of ours.
            ending.struck = replace(ending.struck, container=self._context.recreate(ending.name, keep_volumes=True))
        return [] if done >= self._times else [f"{ending.name} ended so {done} times, not {self._times}"]

    def verify_reversal(self) -> Evidence:
        """Hold when nothing is left to count; the program stays before the command and does nothing any more."""
        facts: dict[str, Json] = {}
        left = []
        for ending in self._endings:
            state = self._context.engine.inspect(ending.container.id)
            facts[f"{ending.name}.status"] = state.status
            facts[f"{ending.name}.restarts"] = state.restart_count
            rest = len(leftovers(state)) if state.status == "running" else 0
            if rest:
                left.append(f"the next {rest} starts of {ending.name} would end as well")
        return Evidence(holds=not left, facts=facts, reason="; ".join(left), lapsed="; ".join(self._lapses))

    def recovery(self) -> Recovery | None:
        """Return how the targets came back: by their policies since the first end, else from the fault's end."""
        return self._recovery


def found_program(command: Command, pid: int, proc: Path = Path("/proc")) -> str:
    """Return where the program is, as the engine would find it; raises `CapabilityError` when it is nowhere."""
    name = command.words[0]
    if "/" in name:
        return name
    for folder in command.path:
        place = f"{folder.rstrip('/')}/{name}"
        file = proc / str(pid) / "root" / place.lstrip("/")
        # A link may lead anywhere inside, which from here is somewhere else.
        if file.is_symlink() or file.is_file():
            return place
    raise CapabilityError(f"{name} is in none of {':'.join(command.path)} of the container")


def leftovers(state: ContainerState, proc: Path = Path("/proc"), *, remove: bool = False) -> list[str]:
    """Return the files that later starts of a running container would end by, and remove them where asked.

    No link is followed: it would lead to files of ours.
    """
    place = proc / str(state.pid) / "root" / FOLDER.lstrip("/")
    try:
        folder = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return []
    try:
        found = sorted(name for name in os.listdir(folder) if name.isdigit())  # noqa: PTH208 - by descriptor
        for name in found if remove else ():
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name, dir_fd=folder)
    finally:
        os.close(folder)
    return found


def open_exit(event: FaultEvent, context: FaultContext) -> Exit:
    """Return the fault; raises `CapabilityError` on a machine that the program is not for."""
    pinned(event, "entrypoint")
    if platform.machine() != MACHINE:
        raise CapabilityError(
            f"the program before the command is for {MACHINE}, and this machine is {platform.machine()}"
        )
    for name in event.targets:
        running(context, name, "end")
    return Exit(event, context)

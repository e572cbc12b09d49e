"""`process.signal(match, signal, count)`: processes inside a container get a signal, chosen by their command lines."""

from __future__ import annotations

import re
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from cleanroom.canonical import Json
from cleanroom.clock import Deadline
from cleanroom.engine import processes
from cleanroom.engine.processes import Process
from cleanroom.errors import CapabilityError
from cleanroom.faults.base import Evidence, FaultContext, Recovery
from cleanroom.faults.container.comeback import Comeback, Struck, await_ends, way_back
from cleanroom.faults.container.death import running
from cleanroom.faults.process.inside import MODULE
from cleanroom.faults.rung import pinned
from cleanroom.faults.victim import visible_pid
from cleanroom.plan.model import FaultEvent
from cleanroom.plan.stream import Stream

TAKEN_TIMEOUT: Final = 5.0
_STOPPED: Final = "Tt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """What /proc tells of a process: its command line, and bit masks of signals (bit n-1 is signal n)."""

    command: str
    pending: int = 0
    ignored: int = 0
    caught: int = 0


@dataclass(slots=True)
class _Chosen:
    """One process that got the signal."""

    service: str
    process: Process
    before: Looks
    outcome: str = ""


class Signal:
    """Rung `pid`: a signal from our side to each process, which nothing of the image is needed for."""

    backend = "pid"

    def __init__(self, event: FaultEvent, context: FaultContext) -> None:
        self._event = event
        self._context = context
        self._clock = context.clock
        self._match = re.compile(cast("str", event.parameters["match"]))
        self._number = signal.Signals[f"SIG{str(event.parameters['signal']).removeprefix('SIG')}"]
        self._count = cast("int | str", event.parameters["count"])
        self._struck: list[Struck] = []
        self._chosen: list[_Chosen] = []
        self._comeback: Comeback | None = None
        self._recovery: Recovery | None = None
        self._reverted = False

    def inject(self) -> None:
        """Choose the processes and send each the signal; raises `CapabilityError` when too few match."""
        found = [(*running(self._context, name, "signal"), name) for name in self._event.targets]
        for container, before, name in found:
            visible_pid(before)
            policy = self._context.policy_restarts.get(name, False)
            self._struck.append(Struck(container=container, before=before, policy=policy))
            self._chosen += [_Chosen(name, process, seen) for process, seen in self._choose(name, before.id)]
        processes.send(frozenset(one.process for one in self._chosen), self._number)

    def _choose(self, name: str, container: str) -> list[tuple[Process, Looks]]:
        matching = {
            process: seen for process, seen in look(container).items()
            if self._match.search(seen.command) and MODULE not in seen.command
        }  # fmt: skip
        # The order must not depend on numbers that differ from run to run more than the processes do.
        ordered = sorted(matching, key=lambda process: (matching[process].command, process.started, process.pid))
        wanted = len(ordered) if self._count == "all" else int(self._count)
        if not ordered or wanted > len(ordered):
            raise CapabilityError(
                f"{len(ordered)} processes of {name} match {self._match.pattern!r}"
                + (f", and {wanted} are to get the signal" if ordered else "")
            )
        drawn = Stream(self._event.stream).part(name).sample(ordered, wanted)
        return [(process, matching[process]) for process in drawn]

    def verify(self) -> Evidence:
        """Hold when each process ended, stopped, or took a signal that it has a handler for."""
        deadline = Deadline.after(self._clock, TAKEN_TIMEOUT)
        while True:
            self._look()
            open_ones = [one for one in self._chosen if one.outcome not in ("ended", "stopped", "continued")]
            if not open_ones or (deadline.expired() or all(self._may_live(one) for one in open_ones)):
                break
            self._clock.sleep(0.02)
        facts: dict[str, Json] = {}
        for name in self._event.targets:
            mine = [one for one in self._chosen if one.service == name]
            facts[f"{name}.signalled"] = len(mine)
            for outcome in sorted({one.outcome for one in mine}):
                facts[f"{name}.{outcome}"] = sum(one.outcome == outcome for one in mine)
        bad = [one for one in self._chosen if one.outcome in ("ignored", "pending", "survived")]
        reason = "; ".join(f"process {one.process.pid} of {one.service}: {one.outcome}" for one in bad)
        self._watch_policies()
        return Evidence(holds=bool(self._chosen) and not bad, facts=facts, reason=reason)

    def _may_live(self, one: _Chosen) -> bool:
        """Whether a process that took the signal may well go on: it has a handler, and not one that ends it soon."""
        return one.outcome == "handled" and self._number.name not in ("SIGTERM", "SIGINT", "SIGQUIT")

    def _look(self) -> None:
        bit = 1 << (self._number - 1)
        for name in {one.service for one in self._chosen}:
            container = next(one.before.id for one in self._struck if one.name == name)
            letters, now = processes.letters(container), look(container)
            for one in self._chosen:
                if one.service == name:
                    one.outcome = self._outcome(one, letters, now, bit)

    def _outcome(self, one: _Chosen, letters: Mapping[Process, str], now: Mapping[Process, Looks], bit: int) -> str:
        letter = letters.get(one.process, "X")
        if letter in "ZX":
            return "ended"
        if self._number == signal.SIGSTOP:
            return "stopped" if letter in _STOPPED else "survived"
        if self._number == signal.SIGCONT:
            return "survived" if letter in _STOPPED else "continued"
        seen = now.get(one.process, one.before)
        if seen.pending & bit:
            return "pending"
        if one.before.ignored & bit:
            return "ignored"
        return "handled" if one.before.caught & bit else "survived"

    def _watch_policies(self) -> None:
        """Time the way back from the death where a policy is what brings it: it does not wait for the fault's end."""
        if gone := await_ends(self._context, [one for one in self._struck if one.policy]):
            self._comeback = Comeback(self._context, gone, self._clock.monotonic())

    def revert(self) -> None:
        """Continue what was stopped; bring back whose container ended, and wait until all are ready."""
        if self._reverted:
            return
        self._reverted = True
        if self._number == signal.SIGSTOP:
            processes.send(frozenset(one.process for one in self._chosen), signal.SIGCONT)
        if self._comeback is not None:
            self._recovery = self._comeback.result()
        elif self._chosen:
            self._recovery = way_back(self._context, self._struck, self._clock.monotonic())

    def verify_reversal(self) -> Evidence:
        """Hold when none of the processes that were stopped stands still."""
        if self._number != signal.SIGSTOP:
            return Evidence(holds=True)
        still = 0
        for target in self._struck:
            letters = processes.letters(target.before.id)
            mine = (one.process for one in self._chosen if one.service == target.name)
            still += sum(letters.get(process, "X") in _STOPPED for process in mine)
        reason = f"{still} processes are still stopped" if still else ""
        return Evidence(holds=not still, facts={"stopped": still}, reason=reason)

    def recovery(self) -> Recovery | None:
        """Return how the targets came back: by a policy from the death, else from the fault's end."""
        return self._recovery


def look(container: str) -> dict[Process, Looks]:
    """Return what /proc tells of each living process of the container with that full id."""
    found = {}
    for process in processes.members(container):
        place = Path("/proc") / str(process.pid)
        try:
            words = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
            status = dict(line.split(":\t", 1) for line in (place / "status").read_text().splitlines() if ":\t" in line)
        except OSError:
            # It ended meanwhile.
            continue
        masks = {name: int(status.get(name, "0"), 16) for name in ("SigPnd", "ShdPnd", "SigIgn", "SigCgt")}
        found[process] = Looks(
            command=words, pending=masks["SigPnd"] | masks["ShdPnd"], ignored=masks["SigIgn"], caught=masks["SigCgt"]
        )
    return found


def open_signal(event: FaultEvent, context: FaultContext) -> Signal:
    """Return the fault; raises `CapabilityError` for a rung that does not exist."""
    pinned(event, "pid")
    return Signal(event, context)

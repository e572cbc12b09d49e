"""Executes the timeline of one scenario: nothing is drawn here (design section 5)."""

from __future__ import annotations

import threading
from collections.abc import Callable

from cleanroom.plan.model import FaultEvent
from cleanroom.run.agenda import Agenda
from cleanroom.run.composite import Composite
from cleanroom.run.occurrence import ChaosPorts, Occurrence
from cleanroom.run.record import FaultRecord
from cleanroom.run.trigger import Trigger
from cleanroom.spec.fault import AtManual, AtOffset, AtProbe, AtStep

JOIN_TIMEOUT = 60.0


class Chaos:
    """The faults of one scenario while its steps run; `finish` ends them all, whatever happened."""

    def __init__(self, events: tuple[FaultEvent, ...], ports: ChaosPorts) -> None:
        self._ports = ports
        self._agenda = Agenda()
        self._order: list[Occurrence] = []
        self._lock = threading.Lock()
        self._finished = threading.Event()
        self._triggers: list[Trigger] = []
        self._forget: Callable[[], None] = _nothing
        self._occurrences = tuple(self._occurrence(event) for event in events)

    def _occurrence(self, event: FaultEvent) -> Occurrence:
        if event.fault.kind.startswith("composite."):
            return Composite(event, self._ports, self._later)
        return Occurrence(event, self._ports)

    def begin(self) -> None:
        """Arm every fault with a fixed offset, and watch what others wait for: the first step is about to start."""
        # Before anything is struck, and so before the services are: a request to stop ends the faults first.
        self._forget = self._ports.stop.register(self._interrupted)
        watched: dict[str, list[Occurrence]] = {}
        for occurrence in self._occurrences:
            moment = occurrence.event.moment
            if isinstance(moment, AtOffset) and occurrence.event.drawn:
                self._later(occurrence, moment.offset.seconds)
            elif isinstance(moment, AtProbe) and occurrence.event.drawn:
                watched.setdefault(occurrence.event.fault.id, []).append(occurrence)
        for group in watched.values():
            trigger = Trigger(group, self._ports, self._finished)
            self._triggers.append(trigger)
            self._agenda.after(0, lambda trigger=trigger: self._watch(trigger))  # type: ignore[misc]

    def _watch(self, trigger: Trigger) -> None:
        for occurrence, seconds in trigger.wait():
            self._later(occurrence, seconds, aside=True)

    def before_step(self, name: str) -> None:
        """End the faults that last until this step; inject those that come before it, in the order of the spec."""
        for occurrence in reversed(self._started()):
            if occurrence.event.fault.until_step == name:
                occurrence.revert()
        for occurrence in self._occurrences:
            if occurrence.event.fault.until_step == name:
                occurrence.forego()
        self._strike("before", name)

    def during_step(self, name: str, *, aside: bool = False) -> None:
        """Arm the faults of this moment: the step's action begins now.

        A fault without an offset is injected before this returns, or beside it where the action waits for nobody
        (`aside`: the operations of a workload).
        """
        for occurrence in self._occurrences:
            moment = occurrence.event.moment
            if isinstance(moment, AtStep) and (moment.moment, moment.step) == ("during", name):
                self._later(occurrence, moment.offset.seconds, aside=aside)

    def after_step(self, name: str) -> None:
        """Give up the faults that were due during this step and did not come to it; inject those that come after it.

        What was to be the first strike during a step is not made up for in another: it would be evidence of nothing.
        """
        for occurrence in self._occurrences:
            moment = occurrence.event.moment
            during = isinstance(moment, AtStep) and (moment.moment, moment.step) == ("during", name)
            if during and occurrence.event.occurrence == 0 and not occurrence.begun:
                occurrence.forego()
        self._strike("after", name)

    def inject(self, fault: str) -> bool:
        """Start every occurrence of a manual fault; return whether there was one to start."""
        chosen = [
            o for o in self._occurrences
            if o.event.fault.id == fault and isinstance(o.event.moment, AtManual) and o.pending
        ]  # fmt: skip
        for occurrence in chosen:
            self._start(occurrence)
        return bool(chosen)

    def heal(self, fault: str) -> bool:
        """End every active occurrence of a fault; return whether there was one to end."""
        chosen = [o for o in reversed(self._started()) if o.event.fault.id == fault and o.active]
        for occurrence in chosen:
            occurrence.revert()
        return bool(chosen)

    def records(self) -> tuple[FaultRecord, ...]:
        """Return the records as they are now, in the order of the plan, the parts of a composite after it."""
        return tuple(record for o in self._occurrences for record in o.records)

    def finish(self) -> tuple[FaultRecord, ...]:
        """Revert everything in reverse order of injection and return the records."""
        self._close()
        self._revert_all()
        self._agenda.join(JOIN_TIMEOUT)
        # Something may have been inside `inject` when the first pass went by.
        self._revert_all()
        self._forget()
        for trigger in self._triggers:
            trigger.missed()
        for occurrence in self._occurrences:
            if not isinstance(occurrence.event.moment, AtProbe):
                occurrence.missed(_missed(occurrence.event))
        return self.records()

    def _close(self) -> None:
        with self._lock:
            self._finished.set()
        self._agenda.close()

    def _revert_all(self) -> None:
        for occurrence in reversed(self._started()):
            occurrence.revert()

    def _interrupted(self) -> None:
        """End every fault while its target is still there."""
        self._close()
        self._revert_all()

    def _strike(self, moment: str, step: str) -> None:
        for occurrence in self._occurrences:
            planned = occurrence.event.moment
            if isinstance(planned, AtStep) and (planned.moment, planned.step) == (moment, step):
                self._later(occurrence, planned.offset.seconds)

    def _start(self, occurrence: Occurrence) -> None:
        with self._lock:
            if self._finished.is_set() or occurrence in self._order:
                return
            self._order.append(occurrence)
        occurrence.inject()
        hold = occurrence.event.fault.duration
        if hold is not None and occurrence.active:
            self._agenda.after(hold.seconds, occurrence.revert)

    def _later(self, occurrence: Occurrence, seconds: float, *, aside: bool = False) -> None:
        if seconds <= 0 and not aside:
            self._start(occurrence)
        else:
            self._agenda.after(seconds, lambda: self._start(occurrence))

    def _started(self) -> list[Occurrence]:
        with self._lock:
            return list(self._order)


def _nothing() -> None:
    """Nothing was registered."""


def _missed(event: FaultEvent) -> str:
    if isinstance(event.moment, AtStep) and event.moment.moment == "during":
        return f"never came to pass: step {event.moment.step!r} did not last for {event.moment.offset}"
    return "never came to pass: the steps, or the one it lasts until, came before its moment"

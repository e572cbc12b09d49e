"""Executes the timeline of one scenario: nothing is drawn here (design section 5)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from cleanroom.canonical import Json
from cleanroom.clock import Clock
from cleanroom.faults.base import ActiveFault, Evidence, FaultContext, OpenFault
from cleanroom.plan.model import FaultEvent
from cleanroom.quantity import Duration
from cleanroom.run.record import FaultRecord, RecoveryRecord
from cleanroom.run.tracing import OpenSpan, Tracer
from cleanroom.run.trouble import trouble_of
from cleanroom.spec.fault import AtManual, AtOffset, AtStep

JOIN_TIMEOUT = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChaosPorts:
    """What executing a timeline needs."""

    tracer: Tracer
    parent: OpenSpan
    clock: Clock
    open_fault: OpenFault
    context: FaultContext
    journal: Callable[[FaultRecord], None]
    """Called before each injection and after each reversal: what was about to be done survives a crash."""


class Occurrence:
    """One event on its way from the plan to its reversal; each stage happens at most once."""

    def __init__(self, event: FaultEvent, ports: ChaosPorts) -> None:
        self.event = event
        self.record = FaultRecord(
            id=event.fault.id, kind=event.fault.kind, occurrence=event.occurrence, targets=event.targets,
            drawn=event.drawn, at=event.fault.at,
            reason="" if event.drawn else "not drawn: its probability decided against it",
        )  # fmt: skip
        self._ports = ports
        self._lock = threading.RLock()
        self._fault: ActiveFault | None = None
        self._span: OpenSpan | None = None
        self._begun = False
        self._ended = False
        self.released = threading.Event()

    @property
    def active(self) -> bool:
        """Whether it has been injected and not yet reverted."""
        return self._begun and not self._ended

    @property
    def begun(self) -> bool:
        """Whether its injection was tried."""
        return self._begun

    @property
    def pending(self) -> bool:
        """Whether it was drawn, and neither its injection was tried nor its end has come."""
        return self.event.drawn and not self._begun and not self._ended

    def inject(self) -> None:
        """Check the capability, journal, inject and verify the effect; trouble is recorded, not raised."""
        with self._lock:
            if not self.pending:
                return
            self._begun = True
            fault = self.event.fault
            attributes: dict[str, bool | int | float | str] = {
                "fault.id": fault.id, "target": ",".join(self.event.targets), "occurrence": self.event.occurrence,
                **{f"parameter.{name}": _plain(value) for name, value in self.event.parameters.items()},
            }  # fmt: skip
            self._span = self._ports.tracer.start(
                f"cleanroom.chaos.{fault.kind}", attributes, parent=self._ports.parent
            )
            self.record = replace(self.record, window=(self._ports.clock.now_ns(), 0))
            try:
                self._fault = self._ports.open_fault(self.event, self._ports.context)
                self._ports.journal(self.record)
                self._fault.inject()
                # The rung is known only now: a ladder goes down by trying.
                self.record = replace(self.record, injected=True, backend=self._fault.backend)
                self._span.set({"backend": self._fault.backend})
                self._span.event("injected", {})
                self._judge_effect(self._fault.verify())
            except Exception as err:  # noqa: BLE001 - a defect in a fault must not keep the others from their reversal
                self._trouble(trouble_of(err).message)

    def _judge_effect(self, evidence: Evidence) -> None:
        fault = self.event.fault
        self.record = replace(
            self.record,
            evidence=dict(evidence.facts),
            verified=evidence.holds,
            reason=evidence.reason if fault.verify else "",
        )
        if self._span is not None:
            self._span.event("effect_verified", {"verified": evidence.holds, **_flat(evidence.facts)})
            self._span.set({"verified": evidence.holds})
            if not evidence.holds and fault.verify:
                self._span.error(evidence.reason)

    def _trouble(self, message: str) -> None:
        reason = f"{self.record.reason}; {message}" if self.record.reason else message
        self.record = replace(self.record, reason=reason)
        if self._span is not None:
            self._span.error(message)

    def revert(self) -> None:
        """Take it away and verify the reversal; trouble is recorded, not raised."""
        with self._lock:
            if not self._begun or self._ended:
                return
            self._ended = True
            self.released.set()
            if self._fault is None:
                self.record = replace(self.record, reverted=True)
            else:
                self._take_away(self._fault)
            self.record = replace(self.record, window=(self.record.window[0], self._ports.clock.now_ns()))
            try:
                self._ports.journal(self.record)
            except Exception as err:  # noqa: BLE001 - the other faults must still be taken away
                self._trouble(trouble_of(err).message)
            if self._span is not None:
                self._span.end()

    def forego(self) -> None:
        """Its end has come before its beginning: it must not be injected any more."""
        with self._lock:
            if not self._begun:
                self._ended = True

    def _take_away(self, fault: ActiveFault) -> None:
        assert self._span is not None  # noqa: S101 - a fault is only opened under its span
        try:
            fault.revert()
            evidence = fault.verify_reversal()
        except Exception as err:  # noqa: BLE001 - as above
            self._trouble(f"could not be reverted: {trouble_of(err).message}")
            return
        self._span.event("reverted", _flat(evidence.facts))
        self.record = replace(self.record, reversal=dict(evidence.facts), reverted=evidence.holds)
        if not evidence.holds:
            self._trouble(f"not reverted: {evidence.reason}")
        if evidence.lapsed:
            self.record = replace(self.record, verified=False)
            self._trouble(f"its effect did not last: {evidence.lapsed}")
        recovery = fault.recovery()
        if recovery is not None:
            with_span = self._ports.tracer.start(
                "cleanroom.recovery",
                {
                    "strategy": recovery.strategy,
                    "duration_ms": recovery.duration_ns / 10**6,
                    "success": recovery.success,
                },
                parent=self._span,
                start_ns=self._ports.clock.now_ns() - recovery.duration_ns,
            )
            if not recovery.success:
                with_span.error(recovery.reason or "the service did not recover")
                self._trouble(recovery.reason or "the service did not recover")
            with_span.end()
            self.record = replace(
                self.record,
                recovery=RecoveryRecord(
                    strategy=recovery.strategy, duration_ns=recovery.duration_ns, success=recovery.success
                ),
            )


class Chaos:
    """The faults of one scenario while its steps run; `finish` ends them all, whatever happened."""

    def __init__(self, events: tuple[FaultEvent, ...], ports: ChaosPorts) -> None:
        self._occurrences = tuple(Occurrence(event, ports) for event in events)
        self._order: list[Occurrence] = []
        self._lock = threading.Lock()
        self._finished = threading.Event()
        self._threads: list[threading.Thread] = []

    def begin(self) -> None:
        """Arm every fault with a fixed offset: the first step is about to start."""
        for occurrence in self._occurrences:
            if isinstance(occurrence.event.moment, AtOffset) and occurrence.event.drawn:
                self._later(occurrence, occurrence.event.moment.offset.seconds)

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
        """Return the records as they are now, in the order of the plan."""
        return tuple(o.record for o in self._occurrences)

    def finish(self) -> tuple[FaultRecord, ...]:
        """Revert everything in reverse order of injection and return the records."""
        with self._lock:
            self._finished.set()
        for occurrence in reversed(self._started()):
            occurrence.revert()
        for thread in self._threads:
            thread.join(JOIN_TIMEOUT)
        # A timer may have been inside `inject` when the first pass went by.
        for occurrence in reversed(self._started()):
            occurrence.revert()
        return tuple(
            replace(o.record, reason=_missed(o.event)) if o.event.drawn and not o.begun else o.record
            for o in self._occurrences
        )

    def _strike(self, moment: str, step: str) -> None:
        for occurrence in self._occurrences:
            planned = occurrence.event.moment
            if isinstance(planned, AtStep) and (planned.moment, planned.step) == (moment, step):
                if planned.offset.ns:
                    self._later(occurrence, planned.offset.seconds)
                else:
                    self._start(occurrence)

    def _start(self, occurrence: Occurrence) -> None:
        with self._lock:
            if self._finished.is_set() or occurrence in self._order:
                return
            self._order.append(occurrence)
        occurrence.inject()
        hold = occurrence.event.fault.duration
        if hold is not None and occurrence.active and not self._finished.is_set():
            self._thread(lambda: self._hold(occurrence, hold.seconds))

    @staticmethod
    def _hold(occurrence: Occurrence, seconds: float) -> None:
        occurrence.released.wait(seconds)
        occurrence.revert()

    def _later(self, occurrence: Occurrence, seconds: float, *, aside: bool = False) -> None:
        def strike() -> None:
            if not self._finished.wait(seconds):
                self._start(occurrence)

        if seconds <= 0 and not aside:
            self._start(occurrence)
        else:
            self._thread(strike)

    def _thread(self, work: Callable[[], object]) -> None:
        thread = threading.Thread(target=work, name="chaos", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _started(self) -> list[Occurrence]:
        with self._lock:
            return list(self._order)


def _missed(event: FaultEvent) -> str:
    if isinstance(event.moment, AtStep) and event.moment.moment == "during":
        return f"never came to pass: step {event.moment.step!r} did not last for {event.moment.offset}"
    return "never came to pass: the steps, or the one it lasts until, came before its moment"


def _plain(value: object) -> bool | int | float | str:
    if isinstance(value, Duration):
        return value.ns
    return value if isinstance(value, bool | int | float | str) else str(value)


def _flat(facts: Mapping[str, Json]) -> dict[str, bool | int | float | str]:
    return {f"evidence.{name}": _plain(value) for name, value in facts.items() if value is not None}

"""One occurrence of a fault on its way from the plan to its reversal (design section 6)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from cleanroom.canonical import Json
from cleanroom.clock import Clock, Deadline, SystemClock
from cleanroom.drive.answer import Answer
from cleanroom.errors import EngineError
from cleanroom.faults.base import ActiveFault, Evidence, FaultContext, OpenFault, Recovery
from cleanroom.plan.model import FaultEvent
from cleanroom.plan.plain import plain
from cleanroom.quantity import Duration
from cleanroom.run.record import FaultRecord, RecoveryRecord
from cleanroom.run.stop import Stop
from cleanroom.run.tracing import OpenSpan, Tracer
from cleanroom.run.trouble import trouble_of
from cleanroom.spec.probe import Probe

STOP_PATIENCE = 2.0
"""How long a reversal may still take once the run is to stop: a runner waits 7.5 s for all of it."""
_LOOK = 0.25


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
    tell: Callable[[FaultRecord], None]
    """Called when an injection begins and when a reversal has ended, for whoever watches."""
    ask: Callable[[Probe], Answer]
    """Asks a probe once."""
    ready: Callable[[str], str]
    """Asks a service's readiness once: "" when it is ready, else why not."""
    stop: Stop
    patience: float
    """The most seconds that a reversal may take, recovery included."""


class Occurrence:
    """One event on its way from the plan to its reversal; each stage happens at most once."""

    def __init__(self, event: FaultEvent, ports: ChaosPorts, within: str = "") -> None:
        """`within` is the key of the composite that it is a part of."""
        self.event = event
        self.record = FaultRecord(
            id=event.fault.id, kind=event.fault.kind, occurrence=event.occurrence, targets=event.targets,
            drawn=event.drawn, at=event.fault.at, within=within,
            parameters={name: plain(value) for name, value in event.parameters.items()},
            reason="" if event.drawn else "not drawn: its probability decided against it",
        )  # fmt: skip
        self._ports = ports
        self._lock = threading.RLock()
        self._fault: ActiveFault | None = None
        self._span: OpenSpan | None = None
        self._begun = False
        self._ended = False
        self._before: Callable[[], None] | None = None

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

    @property
    def records(self) -> tuple[FaultRecord, ...]:
        """Its record, and those of its parts where it has any."""
        return (self.record,)

    def under(self, parent: OpenSpan) -> None:
        """Hang its span under that of the composite that it is a part of."""
        self._ports = replace(self._ports, parent=parent)

    def first(self, work: Callable[[], None]) -> None:
        """Do this before the injection."""
        self._before = work

    def triggered(self, words: str) -> None:
        """Note what set it off."""
        with self._lock:
            self.record = replace(self.record, trigger=words)

    def missed(self, why: str) -> None:
        """Note why it never came to pass, if it did not."""
        with self._lock:
            if self.event.drawn and not self._begun:
                self.record = replace(self.record, reason=why)

    def inject(self) -> None:
        """Check the capability, journal, inject and verify the effect; trouble is recorded, not raised."""
        if self._before is not None:
            self._before()
        with self._lock:
            if not self.pending:
                return
            self._begin()
            try:
                self._strike()
            except Exception as err:  # noqa: BLE001 - a defect in a fault must not keep the others from their reversal
                self._trouble(trouble_of(err).message)
            if self._fault is not None and not self.record.injected:
                # What it had done by then would stand until its end, and be called no fault.
                self.revert()

    def _begin(self) -> None:
        self._begun = True
        fault = self.event.fault
        attributes: dict[str, bool | int | float | str] = {
            "fault.id": fault.id, "target": ",".join(self.event.targets), "occurrence": self.event.occurrence,
            **{f"parameter.{name}": _plain(value) for name, value in self.event.parameters.items()},
        }  # fmt: skip
        self._span = self._ports.tracer.start(f"cleanroom.chaos.{fault.kind}", attributes, parent=self._ports.parent)
        self.record = replace(self.record, window=(self._ports.clock.now_ns(), 0))
        self._ports.tell(self.record)

    def _strike(self) -> None:
        assert self._span is not None  # noqa: S101 - it has begun
        self._fault = self._ports.open_fault(self.event, self._ports.context)
        self._ports.journal(self.record)
        self._fault.inject()
        # The rung is known only now: a ladder goes down by trying.
        self._injected(self._fault.backend)
        self._judge_effect(self._fault.verify())

    def _injected(self, backend: str) -> None:
        self.record = replace(self.record, injected=True, backend=backend)
        if self._span is not None:
            self._span.set({"backend": backend})
            self._span.event("injected", {})

    def _judge_effect(self, evidence: Evidence) -> None:
        fault = self.event.fault
        self.record = replace(
            self.record,
            evidence=dict(evidence.facts),
            verified=evidence.holds,
            reason=evidence.reason if fault.verify else "",
        )
        if self._span is not None:
            flat = _flat(evidence.facts)
            self._span.event("effect_verified", {"verified": evidence.holds, **flat})
            self._span.set({"verified": evidence.holds, **flat})
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
            self._end()
            self.record = replace(self.record, window=(self.record.window[0], self._ports.clock.now_ns()))
            try:
                self._ports.journal(self.record)
            except Exception as err:  # noqa: BLE001 - the other faults must still be taken away
                self._trouble(trouble_of(err).message)
            if self._span is not None:
                self._span.end()
            self._ports.tell(self.record)

    def forego(self) -> None:
        """Its end has come before its beginning: it must not be injected any more."""
        with self._lock:
            if not self._begun:
                self._ended = True

    def _end(self) -> None:
        if self._fault is None:
            # It was refused before anything was done.
            self.record = replace(self.record, reverted=True)
        else:
            self._take_away(self._fault)

    def _take_away(self, fault: ActiveFault) -> None:
        assert self._span is not None  # noqa: S101 - a fault is only opened under its span
        try:
            evidence, recovery = _Bounded(fault, self._ports).wait()
        except Exception as err:  # noqa: BLE001 - the other faults must still be taken away
            self._trouble(f"could not be reverted: {trouble_of(err).message}")
            return
        self._span.event("reverted", _flat(evidence.facts))
        self.record = replace(self.record, reversal=dict(evidence.facts), reverted=evidence.holds)
        if not evidence.holds:
            self._trouble(f"not reverted: {evidence.reason}")
        if evidence.lapsed:
            self.record = replace(self.record, verified=False)
            self._span.set({"verified": False})
            self._trouble(f"its effect did not last: {evidence.lapsed}")
        if recovery is not None:
            self._recovered(recovery)

    def _recovered(self, recovery: Recovery) -> None:
        span = self._ports.tracer.start(
            "cleanroom.recovery",
            {"strategy": recovery.strategy, "duration_ms": recovery.duration_ns / 10**6, "success": recovery.success},
            parent=self._span,
            start_ns=self._ports.clock.now_ns() - recovery.duration_ns,
        )
        if not recovery.success:
            span.error(recovery.reason or "the service did not recover")
            self._trouble(recovery.reason or "the service did not recover")
        span.end()
        self.record = replace(
            self.record,
            recovery=RecoveryRecord(
                strategy=recovery.strategy, duration_ns=recovery.duration_ns, success=recovery.success
            ),
        )


class _Bounded:
    """A reversal in a thread of its own: one that hangs must not keep the others from theirs."""

    def __init__(self, fault: ActiveFault, ports: ChaosPorts) -> None:
        self._fault = fault
        self._ports = ports
        self._done = threading.Event()
        self._found: tuple[Evidence, Recovery | None] | None = None
        self._error: Exception | None = None

    def wait(self) -> tuple[Evidence, Recovery | None]:
        """Return what the reversal found; raises what it raised, and `EngineError` when it does not end in time."""
        threading.Thread(target=self._work, name="reversal", daemon=True).start()
        # Real time: a thread is waited for.
        clock = SystemClock()
        began, patience = clock.monotonic(), self._ports.patience
        deadline = Deadline.after(clock, patience)
        while not self._done.wait(min(_LOOK, deadline.remaining())):
            if self._ports.stop.requested and patience > STOP_PATIENCE:
                patience = STOP_PATIENCE
                deadline = Deadline.after(clock, patience)
            if deadline.expired():
                took = Duration(int((clock.monotonic() - began) * 10**9))
                raise EngineError(f"its reversal had not ended after {took}")
        if self._error is not None:
            raise self._error
        assert self._found is not None  # noqa: S101 - the thread has ended without an error
        return self._found

    def _work(self) -> None:
        try:
            self._fault.revert()
            self._found = self._fault.verify_reversal(), self._fault.recovery()
        except Exception as err:  # noqa: BLE001 - raised again where it is waited for
            self._error = err
        finally:
            self._done.set()


def _plain(value: object) -> bool | int | float | str:
    if isinstance(value, Duration):
        return value.ns
    return value if isinstance(value, bool | int | float | str) else str(value)


def _flat(facts: Mapping[str, Json]) -> dict[str, bool | int | float | str]:
    return {f"evidence.{name}": _plain(value) for name, value in facts.items() if value is not None}

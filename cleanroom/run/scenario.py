"""One scenario in its environment: steps in order, disturbed by its faults, then settled (spec.md section 4)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from cleanroom.clock import Deadline
from cleanroom.drive.ask import ask
from cleanroom.drive.workload.operation import WorkloadRecord
from cleanroom.errors import CleanroomError, ExitCode
from cleanroom.faults.access import access_of
from cleanroom.faults.base import FaultContext
from cleanroom.run.bounds import Bounds
from cleanroom.run.chaos import Chaos
from cleanroom.run.events import Event
from cleanroom.run.figures import tell_figures
from cleanroom.run.invariants import InvariantWatch
from cleanroom.run.occurrence import ChaosPorts
from cleanroom.run.property import Examples, Inside
from cleanroom.run.record import (
    NO_FACTS,
    FaultRecord,
    InvariantRecord,
    Outcome,
    PropertyRecord,
    ScenarioRecord,
    SnapshotRecord,
    SteadyRecord,
    StepRecord,
    Trouble,
)
from cleanroom.run.replacement import Services
from cleanroom.run.stage import Stage
from cleanroom.run.steady_state import SteadyWatch
from cleanroom.run.stepper import Stepper, skip
from cleanroom.run.tracing import OpenSpan
from cleanroom.spec.scenario import Scenario

REVERSAL_S = 60.0
"""The most that a reversal may take besides the time in which a service may become ready."""
SETTLE_FIRST = 0.01
SETTLE_MOST = 0.05


class Play:
    """The steps and faults of one scenario of one iteration."""

    def __init__(
        self, stage: Stage, scenario: Scenario, parent: OpenSpan, given: Mapping[str, object] = NO_FACTS
    ) -> None:
        self._stage = stage
        self._ports = stage.ports
        self._scenario = scenario
        self._parent = parent
        issue = stage.environment.issue
        self.steady = SteadyWatch(scenario.steady_state, stage.reach, issue, (stage.tracer, parent))
        self._invariants = InvariantWatch(stage.plan.suite, scenario, stage.reach, issue)
        self._chaos = Chaos(stage.plan.timeline(scenario.name), self._chaos_ports())
        self._stepper = Stepper(stage, scenario, self._chaos, Bounds.of(scenario, stage.ports.clock), given)

    def calm(self) -> Chaos:
        """Return chaos without any fault in it."""
        return Chaos((), self._chaos_ports())

    def _chaos_ports(self) -> ChaosPorts:
        environment = self._stage.environment
        context = FaultContext(
            engine=self._ports.engine,
            clock=self._ports.clock,
            slot=environment.slot,
            containers=Services(lambda: environment.containers),
            revive=environment.revive,
            clocks=environment.clocks,
            recreate=environment.recreate,
            names=self._ports.network,
            policy_restarts={s.name: s.restart.policy != "no" for s in self._stage.plan.suite.services},
            reach=self._stage.reach,
            access=access_of(self._stage.plan.suite),
        )
        return ChaosPorts(
            tracer=self._stage.tracer, parent=self._parent, clock=self._ports.clock, open_fault=self._ports.open_fault,
            context=context, journal=self._journal_fault, tell=self._tell_fault,
            # How often a trigger asks depends on timing: its traffic has traces of its own.
            ask=lambda probe: ask(self._stage.reach(), probe, environment.issue()), ready=environment.ready,
            stop=self._ports.stop,
            patience=REVERSAL_S + max((s.ready_timeout.seconds for s in self._stage.plan.services), default=0.0),
        )  # fmt: skip

    def _journal_fault(self, record: FaultRecord) -> None:
        self._stage.journal.fault(self._stage.plan.suite.name, self._stage.iteration, self._scenario.name, record)

    def run(self) -> tuple[tuple[StepRecord, ...], tuple[FaultRecord, ...]]:
        """Run every step that may run and end every fault; never raises for what a step or a fault does.

        A system that is not well before the steps is not disturbed: none of them runs.
        """
        if not self.steady.before():
            reason = "the steady state was broken before the steps"
            return tuple(record for step in self._scenario.steps for record in skip(step, reason)), ()
        self._chaos.begin()
        try:
            with self._invariants.during(), self.steady.during():
                records = self._steps()
        finally:
            faults = self._chaos.finish()
        for fault in faults:
            if not fault.window[0]:
                self._tell_fault(fault)
        self.steady.after()
        return records, faults

    def ask(self) -> tuple[InvariantRecord, ...]:
        """Ask what the invariants are judged by; nothing of a run that is to stop, or of steps that did not begin."""
        if self._ports.stop.requested or self.steady.broken_before:
            return ()
        return self._invariants.ask(self._stepper.snapshot_probes, self._stepper.known())

    @property
    def snapshots(self) -> tuple[SnapshotRecord, ...]:
        """What the `snapshot` steps found."""
        return tuple(self._stepper.snapshots)

    def _steps(self) -> tuple[StepRecord, ...]:
        records: list[StepRecord] = []
        blocked = ""
        for step in self._scenario.steps:
            reason = blocked or ("the run was interrupted" if self._ports.stop.requested else "")
            done = skip(step, reason) if reason else self._stepper.carry(step, self._parent)
            records += done
            if done[0].outcome == "failed" and not (step.continue_on_failure or step.optional):
                blocked = f"step {step.name!r} failed before it"
        return tuple(records)

    @property
    def workloads(self) -> tuple[WorkloadRecord, ...]:
        """The journals of the workloads that were carried out."""
        return tuple(self._stepper.workloads.values())

    def _tell_fault(self, fault: FaultRecord) -> None:
        """Tell that it begins, that it has ended, or that it never came to pass."""
        begins = fault.window[0] != 0 and fault.window[1] == 0
        done = fault.verified and fault.reverted
        words = f"{fault.kind} on {', '.join(fault.targets)}" + (f" by {fault.backend}" if fault.backend else "")
        self._ports.listen(
            Event(
                kind="fault", text=words if begins or not fault.reason else fault.reason,
                suite=self._stage.plan.suite.name, iteration=self._stage.iteration, scenario=self._scenario.name,
                subject=fault.key if fault.occurrence or fault.within else fault.id,
                seconds=None if begins else (fault.window[1] - fault.window[0]) / 10**9,
                ok=None if begins or not fault.drawn else done,
            )
        )  # fmt: skip

    def settle(self) -> None:
        """Wait until every positive expectation holds and it has been quiet, at most `otel.settle.timeout`."""
        settle = self._stage.plan.suite.otel.settle
        deadline = Deadline.after(self._ports.clock, settle.timeout.seconds)
        quiet_since = self._ports.clock.monotonic()
        seen = -1
        pause = SETTLE_FIRST
        while not deadline.expired() and not self._ports.stop.requested:
            payloads = self._ports.telemetry.payloads(self._stage.environment.id)
            if len(payloads) != seen:
                seen, quiet_since = len(payloads), self._ports.clock.monotonic()
            # The quiet is asked for as well: a service that does not flush on SIGTERM would lose its last batch.
            quiet = self._ports.clock.monotonic() - quiet_since >= settle.quiet.seconds
            if quiet and self._ports.settled(self._stage.plan.suite, self._scenario, payloads):
                return
            self._ports.stop.wait(min(pause, deadline.remaining()))
            pause = min(SETTLE_MOST, pause * 1.5)


def outcome_of(steps: tuple[StepRecord, ...], faults: tuple[FaultRecord, ...], scenario: Scenario) -> Outcome:
    """Return the scenario's outcome by its steps and faults (spec.md section 4)."""
    if scenario.expect_failure is not None:
        if not _failed_as_said(steps):
            return "failed"
        steps = ()
    if any(s.outcome != "passed" and not s.optional for s in steps):
        return "failed"
    allowed = {f.id for f in scenario.chaos if f.allow_inconclusive or not f.verify}
    # A composite answers for its parts.
    drawn = [f for f in faults if f.drawn and not f.within]
    if any(stuck_in(f) for f in drawn):
        return "error"
    if any(not f.verified and f.id not in allowed for f in drawn) and not scenario.allow_inconclusive:
        return "inconclusive"
    return "degraded" if any(s.outcome != "passed" for s in steps) else "passed"


def with_steady(outcome: Outcome, steady: tuple[SteadyRecord, ...]) -> Outcome:
    """Return the outcome with what the steady state says: broken, the scenario has failed; optional ones degrade."""
    if any(record.broken for record in steady):
        return "failed"
    return "degraded" if outcome == "passed" and any(record.failed for record in steady) else outcome


def _failed_as_said(steps: tuple[StepRecord, ...]) -> bool:
    """Whether a step failed as `expect_failure` wants, and none in another way."""
    broken = any(s.outcome == "failed" and not s.optional and not s.failed_as_said for s in steps)
    return any(s.failed_as_said for s in steps) and not broken


def look(
    stage: Stage, scenario: Scenario, opened: OpenSpan, inside: Inside | None = None
) -> PropertyRecord | None:  # fmt: skip
    """Find the example of the scenario's property that is told; None without one. Without `inside`: on this stage.

    Raises what ends the search: `CleanroomError` of every kind.
    """
    if scenario.property is None:
        return None
    return Examples(
        stage, scenario, scenario.property, lambda where: Play(where, scenario, opened).calm(), inside
    ).find()


def play(stage: Stage, scenario: Scenario, opened: OpenSpan, record: ScenarioRecord) -> ScenarioRecord:
    """Run steps and settle under an open scenario span; the outcome goes onto the span.

    What a property came to is in `record` already where its examples had environments of their own.
    """
    clock = stage.ports.clock
    began = clock.monotonic()
    found = record.property or look(stage, scenario, opened)
    given = NO_FACTS if found is None else {"example": json.loads(found.example)}
    performance = Play(stage, scenario, opened, given)
    steps, faults = performance.run()
    invariants = performance.ask()
    ran = clock.monotonic()
    trouble = _engine_trouble(steps) or _reversal_trouble(faults, scenario)
    try:
        performance.settle()
    except CleanroomError as err:
        # What the steps and faults did is evidence all the same.
        trouble = trouble or Trouble(
            exit_code=int(err.exit_code), message=err.message, remedy=err.remedy, at=scenario.at
        )
    steady = performance.steady.records
    outcome = "error" if trouble is not None else with_steady(outcome_of(steps, faults, scenario), steady)
    outcome = "failed" if found is not None and found.broken and outcome == "passed" else outcome
    mark(opened, outcome, trouble.message if trouble is not None else "")
    timings = {**record.timings, "steps": ran - began, "settle": clock.monotonic() - ran}
    record = replace(record, property=found)
    done = replace(
        record, outcome=outcome, steps=steps, faults=faults, workloads=performance.workloads, steady=steady,
        snapshots=performance.snapshots, invariants=invariants, timings=timings, trouble=trouble,
    )  # fmt: skip
    tell_figures(stage.ports, stage.tracer, opened, done)
    return done


def mark(opened: OpenSpan, outcome: Outcome, why: str) -> None:
    """Put a scenario's outcome onto its span."""
    opened.set({"outcome": outcome, "degraded": outcome == "degraded"})
    if outcome not in ("passed", "degraded"):
        opened.error(why or f"the scenario {outcome}")


def stuck_in(fault: FaultRecord) -> bool:
    """Whether the fault was tried and not provably taken away: an injection that failed half-way counts as well."""
    return fault.drawn and fault.window[0] != 0 and not fault.reverted


def _engine_trouble(steps: tuple[StepRecord, ...]) -> Trouble | None:
    """Return what the engine did not do for a step: that says nothing about the system under test."""
    for step in steps:
        if step.outcome == "failed" and step.error_type == "engine":
            return Trouble(exit_code=int(ExitCode.ENGINE), message=f"step {step.name!r}: {step.reason}", at=step.at)
    return None


def _reversal_trouble(faults: tuple[FaultRecord, ...], scenario: Scenario) -> Trouble | None:
    """Return the faults that could not be taken away: the iteration is an error (design section 6)."""
    stuck = [f for f in faults if stuck_in(f)]
    if not stuck:
        return None
    names = "; ".join(f"{f.id}: {f.reason}" for f in stuck)
    return Trouble(exit_code=int(ExitCode.ENGINE), message=f"not reverted: {names}", at=scenario.at)

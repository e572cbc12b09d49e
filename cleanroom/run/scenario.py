"""One scenario in its environment: steps in order, disturbed by its faults, then settled (spec.md section 4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from cleanroom.clock import Deadline
from cleanroom.drive.act import carry_out
from cleanroom.drive.reach import Limits, Reach
from cleanroom.drive.result import ActionResult
from cleanroom.errors import CleanroomError, ExitCode
from cleanroom.faults.base import FaultContext
from cleanroom.plan.model import Plan
from cleanroom.quantity import Duration
from cleanroom.run.chaos import Chaos, ChaosPorts
from cleanroom.run.environment import Environment
from cleanroom.run.events import Event
from cleanroom.run.journal import Journal
from cleanroom.run.ports import Ports
from cleanroom.run.record import FaultRecord, Outcome, ScenarioRecord, StepRecord, Trouble
from cleanroom.run.step import Timed, cut_timeout, record_of, service_of, skipped, timed, type_of
from cleanroom.run.tracing import AttributeScalar, OpenSpan, Tracer
from cleanroom.spec.query import ExecAction, HttpAction, RedisAction, SqlAction
from cleanroom.spec.scenario import Scenario
from cleanroom.spec.step import HealAction, InjectAction, RunAction, SleepAction, Step

SETTLE_FIRST = 0.01
SETTLE_MOST = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Where a scenario plays: the plan, the iteration, the tracer and the environment."""

    ports: Ports
    plan: Plan
    iteration: int
    tracer: Tracer
    environment: Environment
    journal: Journal


class Play:
    """The steps and faults of one scenario of one iteration."""

    def __init__(self, stage: Stage, scenario: Scenario, parent: OpenSpan) -> None:
        self._stage = stage
        self._ports = stage.ports
        self._scenario = scenario
        self._parent = parent
        self._deadline = Deadline.after(stage.ports.clock, scenario.timeout.seconds)
        self._chaos = Chaos(stage.plan.timeline(scenario.name), self._chaos_ports())

    def _chaos_ports(self) -> ChaosPorts:
        environment = self._stage.environment
        context = FaultContext(
            engine=self._ports.engine,
            clock=self._ports.clock,
            slot=environment.slot,
            containers=environment.containers,
            revive=environment.revive,
            policy_restarts={s.name: s.restart.policy != "no" for s in self._stage.plan.suite.services},
        )
        return ChaosPorts(
            tracer=self._stage.tracer, parent=self._parent, clock=self._ports.clock, open_fault=self._ports.open_fault,
            context=context, journal=self._journal_fault,
        )  # fmt: skip

    def _journal_fault(self, record: FaultRecord) -> None:
        self._stage.journal.fault(self._stage.plan.suite.name, self._stage.iteration, self._scenario.name, record)

    def run(self) -> tuple[tuple[StepRecord, ...], tuple[FaultRecord, ...]]:
        """Run every step that may run and end every fault; never raises for what a step or a fault does."""
        records: list[StepRecord] = []
        blocked = ""
        self._chaos.begin()
        try:
            for step in self._scenario.steps:
                reason = blocked or self._stop_reason()
                record = skipped(step, reason) if reason else self._step(step)
                records.append(record)
                if record.outcome == "failed" and not (step.continue_on_failure or step.optional):
                    blocked = f"step {step.name!r} failed before it"
        finally:
            faults = self._chaos.finish()
        for fault in faults:
            self._tell_fault(fault)
        return tuple(records), faults

    def _stop_reason(self) -> str:
        if self._ports.stop.requested:
            return "the run was interrupted"
        if self._deadline.expired():
            return f"the scenario's timeout of {self._scenario.timeout} had passed"
        return ""

    def _step(self, step: Step) -> StepRecord:
        self._chaos.before_step(step.name)
        cut = cut_timeout(step, self._deadline.remaining())
        attributes: dict[str, AttributeScalar] = {
            "type": type_of(step),
            "timeout_ms": int(step.timeout.ms),
            "attempts": 1,
        }
        if service_of(step):
            attributes["service"] = service_of(step)
        self._ports.listen(
            Event(
                kind="step", text="running", suite=self._stage.plan.suite.name, iteration=self._stage.iteration,
                scenario=self._scenario.name, subject=step.name,
            )
        )  # fmt: skip
        opened = self._stage.tracer.start(f"cleanroom.step:{step.name}", attributes, parent=self._parent)
        start_ns = self._ports.clock.now_ns()
        outcome = timed(self._ports.clock, self._act(cut, opened), start_ns)
        record = record_of(step, outcome)
        self._close_step(step, cut, opened, (outcome, record))
        self._chaos.after_step(step.name)
        self._ports.listen(
            Event(
                kind="step", text=record.reason, suite=self._stage.plan.suite.name, iteration=self._stage.iteration,
                scenario=self._scenario.name, subject=step.name, seconds=(outcome.end_ns - start_ns) / 10**9,
                ok=record.outcome == "passed",
            )
        )  # fmt: skip
        return record

    def _close_step(self, step: Step, cut: Step, opened: OpenSpan, done: tuple[Timed, StepRecord]) -> None:
        result, record = done[0].result, done[1]
        if result.exit_code is not None:
            opened.set({"exit_code": result.exit_code})
        if result.error_type:
            opened.set({"error.type": result.error_type})
        if result.error_type or record.outcome == "failed":
            opened.error(record.reason or result.message)
        if result.error_type == "timeout":
            kind = "step" if cut.timeout == step.timeout else "scenario"
            limit: dict[str, AttributeScalar] = {"kind": kind, "timeout_ms": int(cut.timeout.ms)}
            # A request or a sleep is cut without any signal.
            signalled = isinstance(step.action, ExecAction)
            sent: dict[str, AttributeScalar] = {"grace_ms": int(step.grace.ms)} if signalled else {}
            self._timeout_span("graceful", {**limit, **sent, **({"signal": "SIGTERM"} if signalled else {})}, opened)
            if result.killed:
                self._timeout_span("hard", {**limit, **sent, "signal": "SIGKILL"}, opened)
        opened.end()

    def _timeout_span(self, how: str, attributes: Mapping[str, AttributeScalar], parent: OpenSpan) -> None:
        ended = self._stage.tracer.start(f"cleanroom.timeout.{how}", attributes, parent=parent)
        ended.error("out of time")
        ended.end()

    def _act(self, step: Step, opened: OpenSpan) -> ActionResult:
        limits = Limits(timeout=step.timeout, grace=step.grace)
        match step.action:
            case ExecAction() | RunAction() | HttpAction() | SqlAction() | RedisAction() as action:
                return carry_out(self._reach(), action, limits, opened.traceparent)
            case SleepAction() as action:
                return self._sleep(action.duration, step.timeout)
            case InjectAction() as action:
                return self._chaos_step(action.fault, self._chaos.inject, "inject", step.timeout)
            case HealAction() as action:
                return self._chaos_step(action.fault, self._chaos.heal, "heal", step.timeout)
            case _:
                # The suite is refused before anything starts; a step must never pass because nobody carries it out.
                return ActionResult(error_type="engine", message=f"{type_of(step)} cannot be carried out yet")

    def _reach(self) -> Reach:
        # Asked for each step: a fault may have put another container in the place of one.
        containers = self._stage.environment.containers
        return Reach(
            engine=self._ports.engine, containers=containers, clock=self._ports.clock, stop=self._ports.stop
        )  # fmt: skip

    def _sleep(self, duration: Duration, limit: Duration) -> ActionResult:
        clock = self._ports.clock
        began = clock.monotonic()
        self._ports.stop.wait(min(duration, limit).seconds)
        slept = int((clock.monotonic() - began) * 10**9)
        if duration > limit:
            return ActionResult(error_type="timeout", message=f"{limit} passed before {duration}", duration_ns=slept)
        return ActionResult(duration_ns=slept)

    def _chaos_step(self, fault: str, act: Callable[[str], bool], verb: str, limit: Duration) -> ActionResult:
        """Begin or end a fault. It is never cut half-way, which nobody could take back: one that is late has failed."""
        clock = self._ports.clock
        began = clock.monotonic()
        result = self._verdict_of(fault, started=act(fault), verb=verb)
        took = int((clock.monotonic() - began) * 10**9)
        if took > limit.ns and not result.error_type:
            message = f"to {verb} fault {fault!r} took {Duration(took)}, longer than {limit}"
            result = ActionResult(error_type="timeout", message=message)
        return replace(result, duration_ns=took)

    def _verdict_of(self, fault: str, *, started: bool, verb: str) -> ActionResult:
        if started:
            return ActionResult()
        drawn = any(r.drawn for r in self._chaos.records() if r.id == fault)
        message = f"there was nothing to {verb} of fault {fault!r}" + ("" if drawn else " (no occurrence was drawn)")
        return ActionResult(error_type="not_started" if drawn else "", message=message)

    def _tell_fault(self, fault: FaultRecord) -> None:
        self._ports.listen(
            Event(
                kind="fault", text=fault.reason or f"{fault.kind} on {', '.join(fault.targets)} by {fault.backend}",
                suite=self._stage.plan.suite.name, iteration=self._stage.iteration, scenario=self._scenario.name,
                subject=fault.id, ok=(fault.verified and fault.reverted) if fault.drawn else None,
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
    drawn = [f for f in faults if f.drawn]
    if any(stuck_in(f) for f in drawn):
        return "error"
    if any(not f.verified and f.id not in allowed for f in drawn) and not scenario.allow_inconclusive:
        return "inconclusive"
    return "degraded" if any(s.outcome != "passed" for s in steps) else "passed"


def _failed_as_said(steps: tuple[StepRecord, ...]) -> bool:
    """Whether a step failed as `expect_failure` wants, and none in another way."""
    broken = any(s.outcome == "failed" and not s.optional and not s.failed_as_said for s in steps)
    return any(s.failed_as_said for s in steps) and not broken


def play(stage: Stage, scenario: Scenario, opened: OpenSpan, record: ScenarioRecord) -> ScenarioRecord:
    """Run steps and settle under an open scenario span; the outcome goes onto the span."""
    clock = stage.ports.clock
    began = clock.monotonic()
    performance = Play(stage, scenario, opened)
    steps, faults = performance.run()
    ran = clock.monotonic()
    trouble = _engine_trouble(steps) or _reversal_trouble(faults, scenario)
    try:
        performance.settle()
    except CleanroomError as err:
        # What the steps and faults did is evidence all the same.
        trouble = trouble or Trouble(
            exit_code=int(err.exit_code), message=err.message, remedy=err.remedy, at=scenario.at
        )
    outcome = "error" if trouble is not None else outcome_of(steps, faults, scenario)
    mark(opened, outcome, trouble.message if trouble is not None else "")
    timings = {**record.timings, "steps": ran - began, "settle": clock.monotonic() - ran}
    return replace(record, outcome=outcome, steps=steps, faults=faults, timings=timings, trouble=trouble)


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

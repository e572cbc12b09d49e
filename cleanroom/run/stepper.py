"""Carries out the steps of one scenario: time limits, attempts, what is kept, spans (spec.md sections 4 and 9)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from cleanroom.canonical import Json
from cleanroom.drive.act import carry_out
from cleanroom.drive.reach import Limits
from cleanroom.drive.result import ActionResult
from cleanroom.drive.retry import is_tried_again, pauses, retry_stream
from cleanroom.drive.workload.operation import WorkloadRecord
from cleanroom.quantity import Duration
from cleanroom.run.bounds import Bounds, Cut
from cleanroom.run.capture import captured_of
from cleanroom.run.chaos import Chaos
from cleanroom.run.events import Event
from cleanroom.run.probing import snapshot, wait_for
from cleanroom.run.record import SnapshotRecord, StepRecord
from cleanroom.run.stage import Stage
from cleanroom.run.step import Timed, record_of, service_of, skipped, type_of
from cleanroom.run.tracing import AttributeScalar, OpenSpan
from cleanroom.run.workload import Surroundings, attributes_of, run_workload, workload_stream
from cleanroom.spec.probe import Probe
from cleanroom.spec.query import ExecAction, HttpAction, RedisAction, SqlAction
from cleanroom.spec.scenario import Scenario
from cleanroom.spec.step import (
    HealAction,
    InjectAction,
    ParallelAction,
    RunAction,
    SleepAction,
    SnapshotAction,
    Step,
    WaitForAction,
    WorkloadAction,
)
from cleanroom.spec.templates.expression import ExpressionError
from cleanroom.spec.templates.late import evaluated

_NO_VALUES: Mapping[str, object] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Begun:
    """A step that has begun: its span, what it may take, and where its neighbours wait for each other."""

    step: Step
    cut: Cut
    span: OpenSpan
    bounds: Bounds
    gate: Callable[[], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    """The last attempt of a step, judged, and the records of the steps inside it."""

    result: ActionResult
    record: StepRecord
    cut: Cut
    kept: Mapping[str, Json]
    inner: tuple[StepRecord, ...] = ()


class Stepper:
    """The steps of one scenario, one after the other; what they captured is known to those that come later."""

    def __init__(
        self, stage: Stage, scenario: Scenario, chaos: Chaos, bounds: Bounds, given: Mapping[str, object] = _NO_VALUES
    ) -> None:
        """`given` are more run-time names of templates, with their values."""
        self._stage = stage
        self._ports = stage.ports
        self._scenario = scenario
        self._chaos = chaos
        self._bounds = bounds
        self._given = given
        self.captured: dict[str, Json] = {}
        self.snapshots: list[SnapshotRecord] = []
        self.snapshot_probes: dict[str, Probe] = {}
        """The question of each snapshot that was taken, for invariants to ask again."""
        self.workloads: dict[str, WorkloadRecord] = {}
        """By the names of their steps, in the order in which they ended."""

    def carry(self, step: Step, parent: OpenSpan) -> tuple[StepRecord, ...]:
        """Carry out a step; return its record and those of the steps inside it, in the order of the file.

        Never raises for what a step does.
        """
        passed = self._bounds.passed()
        if passed:
            return skip(step, f"not started: {passed} had passed", "not_started")
        self._chaos.before_step(step.name)
        done = self._perform(step, parent, self._bounds, gate=_at_once)
        self.captured.update(done.kept)
        self._chaos.after_step(step.name)
        return (done.record, *done.inner)

    def _perform(self, step: Step, parent: OpenSpan, bounds: Bounds, gate: Callable[[], object]) -> _Done:
        cut = bounds.cut(step.timeout)
        attributes: dict[str, AttributeScalar] = {
            "type": type_of(step), "timeout_ms": int(step.timeout.ms), "attempts": 1,
        }  # fmt: skip
        if service_of(step):
            attributes["service"] = service_of(step)
        self._tell(step, "running")
        opened = self._stage.tracer.start(f"cleanroom.step:{step.name}", attributes, parent=parent)
        begun = _Begun(step=step, cut=cut, span=opened, bounds=bounds, gate=gate)
        try:
            done = self._together(begun) if isinstance(step.action, ParallelAction) else self._attempts(begun)
            self._mark(begun, done)
        finally:
            opened.end()
        record = done.record
        seconds = (record.end_ns - record.start_ns) / 10**9
        self._tell(step, record.reason, seconds=seconds, ok=record.outcome == "passed")
        return done

    def _attempts(self, begun: _Begun) -> _Done:
        """Try until it is well, must not be tried again, or there is no time left for another attempt."""
        step, retry = begun.step, begun.step.retry
        begun.gate()
        start_ns = self._ports.clock.now_ns()
        if retry is None:
            return self._attempt(begun, begun.cut, begun.span.traceparent, (1, start_ns))
        waits = pauses(retry, retry_stream(self._stage.plan.seed, self._scenario.name, step.name))
        delay, cut, context = Duration(0), begun.cut, begun.span.traceparent
        for number in range(1, retry.attempts + 1):
            attributes: dict[str, AttributeScalar] = {"attempt": number, "delay_ms": int(delay.ms)}
            span = self._stage.tracer.start("cleanroom.retry.attempt", attributes, parent=begun.span)
            done = self._attempt(begun, cut, context, (number, start_ns))
            if done.result.error_type:
                span.set({"error.type": done.result.error_type})
            if done.record.outcome == "failed":
                span.error(done.record.reason)
            span.end()
            again = number < retry.attempts and is_tried_again(retry, done.result.error_type, step.allow)
            if not again or (done.record.outcome == "passed" and done.result.error_type not in step.allow):
                return done
            delay = next(waits)
            if delay.seconds >= begun.bounds.remaining():
                return _given_up(done, number, delay)
            if self._ports.stop.wait(delay.seconds):
                return done
            # What comes after the first attempt depends on timing: its spans are judged, and in no digest.
            cut, context = begun.bounds.cut(step.timeout), self._stage.environment.issue()
        raise AssertionError("the last attempt returns")

    def _attempt(self, begun: _Begun, cut: Cut, context: str, attempt: tuple[int, int]) -> _Done:
        """Try once and judge it; `attempt` is its number from 1 and when the first one began."""
        step, (number, start_ns) = begun.step, attempt
        expect, late = step.expect, ""
        try:
            result = self._act(self._evaluated(step), cut, context, first=number == 1)
            kept, missing = captured_of(step, result)
            expect = evaluated(expect, self._known(kept))
        except ExpressionError as err:
            # A template without a value is no failure of the system: nothing that is allowed can mean it.
            late, kept, missing, expect = str(err), {}, (), None
            result = ActionResult(error_type="not_started", message=late)
        if result.error_type == "timeout" and cut.words:
            result = replace(result, message=f"{cut.words} ended it: {result.message}")
            # Cut by the scenario's own end it has failed, whatever it allows or expects.
            late = result.message if cut.kind == "scenario" else late
        timed = Timed(result, start_ns, self._ports.clock.now_ns())
        record = record_of(replace(step, expect=expect), timed, missing=missing, late=late)
        return _Done(result=result, record=replace(record, attempts=number), cut=cut, kept=kept)

    def known(self) -> Mapping[str, object]:
        """Return what templates know when the steps have ended."""
        return self._known({})

    def _known(self, more: Mapping[str, Json]) -> Mapping[str, object]:
        return {"iteration": self._stage.iteration, **self._given, "captured": {**self.captured, **more}}

    def _evaluated(self, step: Step) -> Step:
        if isinstance(step.action, WorkloadAction):
            # Its operations know more than a step does; who carries them out evaluates them.
            return step
        return replace(step, action=evaluated(step.action, self._known({})))

    def _act(  # noqa: PLR0911 - a return for each kind of action
        self, step: Step, cut: Cut, context: str, *, first: bool
    ) -> ActionResult:
        if first and not isinstance(step.action, WorkloadAction):
            self._chaos.during_step(step.name)
        limits = Limits(timeout=cut.time, grace=step.grace)
        match step.action:
            case ExecAction() | RunAction() | HttpAction() | SqlAction() | RedisAction() as action:
                return carry_out(self._stage.reach(), action, limits, context)
            case SleepAction() as action:
                return self._sleep(action.duration, cut.time)
            case InjectAction() as action:
                return self._chaos_step(action.fault, self._chaos.inject, "inject", cut.time)
            case HealAction() as action:
                return self._chaos_step(action.fault, self._chaos.heal, "heal", cut.time)
            case WaitForAction() as action:
                # How often it asks depends on timing: its traffic has a trace of its own.
                return wait_for(self._stage.reach(), action, limits, self._stage.environment.issue())
            case SnapshotAction() as action:
                return self._snapshot(action, limits, context)
            case WorkloadAction():
                return self._work(step, limits)
            case _:
                # The suite is refused before anything starts; a step must never pass because nobody carries it out.
                return ActionResult(error_type="engine", message=f"{type_of(step)} cannot be carried out yet")

    def _snapshot(self, action: SnapshotAction, limits: Limits, context: str) -> ActionResult:
        result, kept = snapshot(self._stage.reach(), action, limits, context)
        self.snapshots.append(kept)
        self.snapshot_probes[action.id] = action.of
        return result

    def _work(self, step: Step, limits: Limits) -> ActionResult:
        around = Surroundings(
            stream=workload_stream(self._stage.plan.seed, self._scenario.name, step.name), known=self._known({}),
            issue=self._stage.environment.issue, begun=lambda: self._chaos.during_step(step.name, aside=True),
            expects=(self._scenario.expect, self._stage.plan.suite.expect),
        )  # fmt: skip
        result, record, traces = run_workload(self._stage.reach(), step, limits, around)
        self.workloads[step.name] = record
        self._stage.environment.noise.extend(traces)
        return result

    def _together(self, begun: _Begun) -> _Done:
        """Begin every step inside at the same moment, when all of them are ready, and wait for all."""
        action = begun.step.action
        assert isinstance(action, ParallelAction)  # noqa: S101 - its only caller has looked
        clock = self._ports.clock
        for step in action.steps:
            self._chaos.before_step(step.name)
        bounds = begun.bounds.within(begun.cut, begun.step.name)
        barrier = threading.Barrier(len(action.steps))
        self._chaos.during_step(begun.step.name)
        start_ns, began = clock.now_ns(), clock.monotonic()

        def perform(step: Step) -> _Done:
            try:
                done = self._perform(step, begun.span, bounds, gate=barrier.wait)
            except BaseException:
                # Those who wait at the barrier must not wait for one that never comes.
                barrier.abort()
                raise
            self._chaos.after_step(step.name)
            return done

        with ThreadPoolExecutor(max_workers=len(action.steps), thread_name_prefix="parallel") as pool:
            inner = [task.result() for task in [pool.submit(perform, step) for step in action.steps]]
        took = int((clock.monotonic() - began) * 10**9)
        failed = [d for d in inner if d.record.outcome == "failed" and not d.record.optional]
        words = "; ".join(f"step {d.record.name!r}: {d.record.reason}" for d in failed)
        kind = (failed[0].result.error_type or "not_started") if failed else ""
        result = ActionResult(error_type=kind, message=words, duration_ns=took)
        # Where each failed as its own `expect` says, so did the step around them.
        late = "" if all(d.record.failed_as_said for d in failed) else words
        record = record_of(begun.step, Timed(result, start_ns, clock.now_ns()), late=late)
        kept = {name: value for done in inner for name, value in done.kept.items()}
        parts = tuple(replace(d.record, optional=d.record.optional or begun.step.optional) for d in inner)
        return _Done(result=result, record=record, cut=begun.cut, kept=kept, inner=parts)

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

    def _mark(self, begun: _Begun, done: _Done) -> None:
        result, record, opened = done.result, done.record, begun.span
        opened.set({"attempts": record.attempts})
        if begun.step.name in self.workloads:
            opened.set(attributes_of(self.workloads[begun.step.name]))
        if result.exit_code is not None:
            opened.set({"exit_code": result.exit_code})
        if result.error_type:
            opened.set({"error.type": result.error_type})
        if result.error_type or record.outcome == "failed":
            opened.error(record.reason or result.message)
        if result.error_type == "timeout" and not isinstance(begun.step.action, ParallelAction):
            self._mark_timeout(begun, done)

    def _mark_timeout(self, begun: _Begun, done: _Done) -> None:
        """Make a span from the signal to the end, and one from SIGKILL on where that was needed."""
        step, cut, result, end_ns = begun.step, done.cut, done.result, done.record.end_ns
        limit: dict[str, AttributeScalar] = {"kind": cut.kind, "timeout_ms": int(cut.allowed.ms)}
        start_ns = end_ns - result.duration_ns
        # A request or a sleep is cut without any signal.
        signalled = isinstance(step.action, ExecAction | RunAction)
        sent: dict[str, AttributeScalar] = {"grace_ms": int(step.grace.ms)} if signalled else {}
        first: dict[str, AttributeScalar] = {"signal": "SIGTERM"} if signalled else {}
        killed_ns = start_ns + result.killed_ns if result.killed_ns else end_ns
        terminated_ns = start_ns + result.terminated_ns if result.terminated_ns else end_ns
        window = (min(terminated_ns, killed_ns), killed_ns)
        self._timeout_span("graceful", {**limit, **sent, **first}, begun.span, window)
        if result.killed:
            self._timeout_span("hard", {**limit, **sent, "signal": "SIGKILL"}, begun.span, (killed_ns, end_ns))

    def _timeout_span(
        self, how: str, attributes: Mapping[str, AttributeScalar], parent: OpenSpan, window: tuple[int, int]
    ) -> None:
        ended = self._stage.tracer.start(f"cleanroom.timeout.{how}", attributes, parent=parent, start_ns=window[0])
        ended.error("out of time")
        ended.end(window[1])

    def _tell(self, step: Step, text: str, *, seconds: float | None = None, ok: bool | None = None) -> None:
        self._ports.listen(
            Event(
                kind="step", text=text, suite=self._stage.plan.suite.name, iteration=self._stage.iteration,
                scenario=self._scenario.name, subject=step.name, seconds=seconds, ok=ok,
            )
        )  # fmt: skip


def _at_once() -> None:
    """Wait for nobody."""


def _given_up(done: _Done, number: int, delay: Duration) -> _Done:
    words = f"{done.record.reason} (attempt {number}; no time was left for another one after {delay})"
    return replace(done, record=replace(done.record, reason=words if done.record.reason else ""))


def skip(step: Step, reason: str, error_type: str = "") -> tuple[StepRecord, ...]:
    """Return the records of a step that was not started, and of those inside it."""
    inner = step.action.steps if isinstance(step.action, ParallelAction) else ()
    parts = (replace(one, optional=one.optional or step.optional) for one in inner)
    return tuple(skipped(one, reason, error_type) for one in (step, *parts))

"""The `workload` step: its operations carried out, judged one by one, and what all of them make of the step.

The step fails when no operation succeeded, when fewer were begun than were asked for, and when some failed that nothing
speaks of: neither their `allow`, nor an expectation of the scenario about failures (`resilience` or `error_classes`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from cleanroom.canonical import Json
from cleanroom.drive.reach import Limits, Reach
from cleanroom.drive.result import ActionResult, Breach
from cleanroom.drive.workload.job import Job
from cleanroom.drive.workload.operation import Operations, WorkloadRecord
from cleanroom.drive.workload.perform import Performance, in_processes, in_this_process, perform
from cleanroom.drive.workload.session import KeptSession, needs_engine
from cleanroom.plan.stream import Stream, stream_digest
from cleanroom.run.operation import judge_operation
from cleanroom.run.tracing import AttributeScalar
from cleanroom.spec.expect import Expect
from cleanroom.spec.invariant import ErrorClassesInvariant
from cleanroom.spec.step import Step, WorkloadAction
from cleanroom.spec.templates.late import evaluated

DRIVER: Final = "cleanroom.run.driver"
_OF_FAILURES: Final = frozenset({"success_rate", "availability", "error_budget.burn"})
_SHOWN: Final = 5
_SECOND: Final = 10**9
# Seconds by which operations may be late in any case: a service that was killed is away for a while.
_STALL: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a workload needs of the scenario around it."""

    stream: str
    """The name of what is drawn from (`workload_stream`)."""
    known: Mapping[str, object]
    """Run-time names of templates, beside those of an operation."""
    issue: Callable[[], str]
    """Returns a `traceparent` that is the runner's own."""
    begun: Callable[[], None]
    """Told once, when the operations begin; returns soon."""
    expects: tuple[Expect | None, ...] = ()
    """What is judged afterwards."""


def run_workload(
    reach: Reach, step: Step, limits: Limits, around: Surroundings
) -> tuple[ActionResult, WorkloadRecord, tuple[str, ...]]:
    """Carry out a `workload` step within `limits`; return its result, its journal and the trace ids it used.

    Never raises for what the services do; raises `ExpressionError` for a template without a value.
    """
    assert isinstance(step.action, WorkloadAction)  # noqa: S101 - its only caller has looked
    work = step.action.workload
    name = str(evaluated(work.journal, around.known)) or step.name
    job = Job(
        workload=work, mine=(), stream=around.stream, addresses=reach.addresses, folder=reach.folder,
        known=around.known, trace=around.issue().split("-")[1][:16],
    )  # fmt: skip
    if any(needs_engine(each.step) for each in work.mix):
        how = in_this_process(lambda: KeptSession(reach.addresses, reach), judge_operation)
    else:
        how = in_processes(DRIVER)
    found = perform(reach, job, limits, how, around.begun)
    record = WorkloadRecord(
        name=name, step=step.name, workers=work.workers, rate=work.rate, intended=job.count,
        duration_ns=work.duration.ns if work.duration is not None else 0, began_ns=found.began_ns,
        ended_ns=found.ended_ns, reason=shortfall(found, job), cpu_ns=found.cpu_ns, operations=found.operations,
        at=step.at,
    )  # fmt: skip
    result = result_of(record, found, spoken=speaks_of_failures(around.expects, name))
    most = max(_highest(found.operations, work.workers), default=-1)
    return result, record, tuple(job.trace_id(number) for number in range(most + 1))


def workload_stream(seed: int, scenario: str, step: str) -> str:
    """Return the name of a workload's stream: the same in every iteration."""
    # No fault can have such an id: it begins with a letter and has no colon.
    return Stream(stream_digest(seed, scenario, f"step:{step}", 0)).part("workload").name


def _highest(operations: Operations, workers: int) -> list[int]:
    """Return each worker's highest number: it has done every `workers`-th from its own on, in order."""
    return [worker + (count - 1) * workers for worker, count in Counter(operations.worker).items()]


def shortfall(found: Performance, job: Job) -> str:
    """Return why fewer operations were begun than were asked for, with figures; empty when all were."""
    count, begun = job.count, len(found.operations)
    asked = "operations" if count is None else f"{count} operations"
    work = job.workload
    if found.error_type:
        return f"{begun} of {asked} were begun: {found.message}"
    if count is None:
        return ""
    if begun >= count:
        return _slower(found.operations, work.rate) if work.rate is not None else ""
    words = f"{begun} of {asked} were begun"
    if work.rate is not None and work.duration is not None:
        seconds = max(1, found.ended_ns - found.began_ns) / _SECOND
        return f"{words}: a rate of {work.rate:g}/s was asked for, {begun / seconds:.1f}/s were reached"
    return words


def _slower(operations: Operations, rate: float) -> str:
    """Return how far an open rate was missed, where all operations were begun but over more than twice their time.

    A stall of the services shows in the latencies and is caught up with; workers that are too few never catch up.
    """
    planned = (operations.intended_ns[-1] - operations.intended_ns[0]) / _SECOND
    took = (max(operations.start_ns) - operations.intended_ns[0]) / _SECOND
    if took <= 2 * planned + _STALL:
        return ""
    reached = len(operations) / took
    return f"a rate of {rate:g}/s was asked for, {reached:.1f}/s were reached by {len(operations)} operations"


def speaks_of_failures(expects: tuple[Expect | None, ...], journal: str) -> bool:
    """Whether an expectation judges how many operations of the journal may fail."""
    for expect in expects:
        if expect is None:
            continue
        errors = [e for e in expect.resilience if e.level == "error"]
        # What is measured in the windows of a fault says nothing of what fails beside it.
        if any(e.figure in _OF_FAILURES and e.journal in ("", journal) and not e.during for e in errors):
            return True
        checks = (invariant.check for invariant in expect.invariants if invariant.level == "error")
        if any(isinstance(check, ErrorClassesInvariant) and check.journal == journal for check in checks):
            return True
    return False


def result_of(record: WorkloadRecord, found: Performance, *, spoken: bool) -> ActionResult:
    """Return the step's result; `spoken`: something else judges how many operations may fail."""
    operations = record.operations
    counts = operations.counts()
    errors = _errors(operations)
    duration = max(0, record.ended_ns - record.began_ns) if record.began_ns else 0
    kind, message = "", ""
    if record.reason:
        kind, message = found.error_type or "not_started", record.reason
    elif not counts["ok"] and not (counts["allowed"] and not counts["failed"]):
        kind = next(iter(errors), "") or "not_started"
        message = f"none of {len(operations)} operations succeeded" if operations else "no operation was begun"
    elif counts["failed"] and not spoken:
        kind = next(iter(errors), "") or "not_started"
        message = (
            f"{counts['failed']} of {len(operations)} operations failed: list their error types in `allow`, or judge "
            "how many may fail by resilience.success_rate"
        )
    if message and errors:
        message += f" ({_listed(errors)})"
    # What else went wrong is not hidden by an `allow` of the first: failures under a time limit, others beside most.
    others = () if spoken and counts["ok"] else tuple(error for error in errors if error != kind)
    # A workload of which nothing was begun is no evidence, whatever is allowed or expected.
    unborn = () if operations else (Breach(what="workload", expected="operations", found=message or "none"),)
    found_errors: dict[str, Json] = dict(errors)
    figures: dict[str, Json] = {"operations": len(operations), "errors": found_errors}
    figures |= {str(outcome): count for outcome, count in counts.items()}
    return ActionResult(
        error_type=kind,
        message=message,
        others=others,
        breaches=unborn,
        json=figures,
        has_json=True,
        noted=figures,
        duration_ns=duration,
    )


def _errors(operations: Operations) -> Counter[str]:
    """Return error type → how many failed by it, most first; the empty type is a broken `expect`."""
    failed = Counter(
        operations.errors[error]
        for error, outcome in zip(operations.error_id, operations.outcome_id, strict=True)
        if outcome == _FAILED
    )
    return Counter(dict(sorted(failed.items(), key=lambda pair: (-pair[1], pair[0]))))


_FAILED: Final = 2


def _listed(errors: Counter[str]) -> str:
    words = [f"{kind or 'a broken expect'} {count}" for kind, count in list(errors.items())[:_SHOWN]]
    return ", ".join(words) + (", …" if len(errors) > _SHOWN else "")


def attributes_of(record: WorkloadRecord) -> Mapping[str, AttributeScalar]:
    """Return what the step's span says of its operations."""
    counts = record.operations.counts()
    return {
        "workload.operations": len(record.operations), "workload.ok": counts["ok"],
        "workload.allowed": counts["allowed"], "workload.failed": counts["failed"],
    }  # fmt: skip

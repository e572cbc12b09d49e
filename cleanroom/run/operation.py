"""What the result of one operation of a workload means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from cleanroom.drive.workload.crew import Verdict

if TYPE_CHECKING:
    from cleanroom.drive.result import ActionResult
    from cleanroom.drive.workload.operation import OperationOutcome
    from cleanroom.spec.step import Step


def is_looked_into(step: Step) -> bool:
    """Whether something has to be looked up in the step's results: `load_for` loads what that needs."""
    return step.expect is not None or bool(step.capture)


def load_for(steps: Iterable[Step]) -> None:
    """Load what judging the steps' results needs, so that no operation waits for it."""
    if any(is_looked_into(step) for step in steps):
        import cleanroom.run.capture  # noqa: PLC0415 - as below
        import cleanroom.run.step  # noqa: F401, PLC0415 - a driver process that looks into nothing starts sooner


def judge_operation(step: Step, result: ActionResult, known: Mapping[str, object]) -> Verdict:
    """Return what a result means for an operation: as a step's is judged, with `allow` told apart from success."""
    allowed = result.error_type in step.allow
    if not is_looked_into(step):
        # Most operations, and their drivers start sooner without what the others need.
        outcome: OperationOutcome = "ok" if not result.error_type else "allowed" if allowed else "failed"
        return Verdict(outcome, result.error_type, result.value)
    from cleanroom.run.capture import captured_of  # noqa: PLC0415 - as said above
    from cleanroom.run.step import Timed, record_of  # noqa: PLC0415 - as said above
    from cleanroom.spec.templates.late import evaluated  # noqa: PLC0415 - as said above

    kept, missing = captured_of(step, result)
    before = known.get("captured")
    captured = {**(before if isinstance(before, Mapping) else {}), **kept}
    expect = evaluated(step.expect, {**known, "captured": captured})
    record = record_of(replace(step, expect=expect), Timed(result, 0, 0), missing=() if allowed else missing)
    value = result.value if not kept else next(iter(kept.values())) if len(step.capture) == 1 else dict(kept)
    if record.outcome == "failed":
        return Verdict("failed", result.error_type)
    return Verdict("allowed" if allowed else "ok", result.error_type, value)

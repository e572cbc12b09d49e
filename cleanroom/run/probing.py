"""The steps that ask a probe: `wait_for` and `snapshot` (spec.md section 4)."""

from __future__ import annotations

from dataclasses import replace

from cleanroom.drive.ask import ask
from cleanroom.drive.reach import Limits, Reach
from cleanroom.drive.result import ActionResult
from cleanroom.drive.waiting import result_of, wait_until
from cleanroom.run.record import SnapshotRecord
from cleanroom.spec.step import SnapshotAction, WaitForAction


def wait_for(reach: Reach, action: WaitForAction, limits: Limits, context: str) -> ActionResult:
    """Ask until the probe holds, for no longer than the step and the action itself may take.

    How often it is asked depends on timing: `context` must be a trace of its own.
    """
    timeout = limits.timeout if action.timeout is None else min(action.timeout, limits.timeout)
    began = reach.clock.monotonic()
    answer = wait_until(reach, action.probe, context, timeout)
    return replace(result_of(answer), duration_ns=int((reach.clock.monotonic() - began) * 1e9))


def snapshot(reach: Reach, action: SnapshotAction, limits: Limits, context: str) -> tuple[ActionResult, SnapshotRecord]:
    """Ask once, and keep what was found; a probe that does not hold fails the step."""
    began = reach.clock.monotonic()
    answer = ask(reach, replace(action.of, timeout=limits.timeout), context)
    took = int((reach.clock.monotonic() - began) * 1e9)
    return replace(result_of(answer), duration_ns=took), SnapshotRecord(id=action.id, answer=answer)

"""One step: its action under a time limit, its span, and its `expect` (spec.md section 4)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from cleanroom.canonical import Json
from cleanroom.drive.result import ActionResult
from cleanroom.quantity import Duration
from cleanroom.run.record import StepBreach, StepRecord
from cleanroom.spec.comparator import Comparator, describe, judge
from cleanroom.spec.query import ExecAction, HttpAction, RedisAction, SqlAction
from cleanroom.spec.step import ACTIONS, RunAction, Step, StepExpect
from cleanroom.text import one_line, truncate

MAX_TEXT = 64 * 1024
# What holds of the beginning of a text holds of all of it.
_OF_A_BEGINNING = frozenset({"contains", "starts_with", "exists"})
_PATH_PART = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]")


def type_of(step: Step) -> str:
    """Return the name of the step's action as the spec writes it."""
    return ACTIONS[type(step.action)]


def service_of(step: Step) -> str:
    """Return the service that the step talks to, or the empty string."""
    match step.action:
        case ExecAction() | RunAction() | HttpAction() | SqlAction() | RedisAction() as action:
            return action.service
        case _:
            return ""


@dataclass(frozen=True, slots=True)
class Timed:
    """A result with the wall-clock window in which it came to be, in nanoseconds."""

    result: ActionResult
    start_ns: int
    end_ns: int


def record_of(step: Step, outcome: Timed, *, missing: tuple[StepBreach, ...] = (), late: str = "") -> StepRecord:
    """Return the step's record: `expect` decides where there is one, else the action's own error (unless allowed).

    `missing` are captures that found nothing; `late`, where it is not empty, fails the step whatever it allows.
    """
    result = outcome.result
    expected = _breaches(step.expect, result) if step.expect is not None else ()
    breaches = (*_own_breaches(step, result), *expected, *missing)
    unexpected = bool(late) or _unexpected_error(step, result)
    failed = bool(breaches) or unexpected
    reason = ""
    if breaches and not (missing and unexpected):
        reason = "; ".join(f"{b.what}: expected {b.expected}, found {b.found}" for b in breaches)
    elif failed:
        reason = result.message or result.error_type
        error = StepBreach(what="error", expected="no error", found=one_line(reason, 500), at=step.at)
        breaches = (error,) if (step.expect is not None or late) and not breaches else breaches
    return StepRecord(
        name=step.name,
        type=type_of(step),
        service=service_of(step),
        outcome="failed" if failed else "passed",
        reason=one_line(reason, 1000),
        error_type=result.error_type,
        exit_code=result.exit_code,
        status=result.status,
        stdout=truncate(result.stdout if result.stdout is not None else result.body or "", MAX_TEXT),
        stderr=truncate(result.stderr or "", MAX_TEXT),
        truncated=result.truncated,
        breaches=breaches,
        optional=step.optional,
        start_ns=outcome.start_ns,
        end_ns=outcome.end_ns,
        at=step.at,
    )


def skipped(step: Step, reason: str, error_type: str = "") -> StepRecord:
    """Return the record of a step that was not started, with an error type where that is more than an order."""
    return StepRecord(
        name=step.name, type=type_of(step), service=service_of(step), outcome="skipped", reason=reason,
        error_type=error_type, optional=step.optional, at=step.at,
    )  # fmt: skip


def _own_breaches(step: Step, result: ActionResult) -> Iterator[StepBreach]:
    """Yield what the action found itself, and errors beside the one that can be expected of a step."""
    for breach in result.breaches:
        yield StepBreach(what=breach.what, expected=breach.expected, found=breach.found, at=breach.at)
    tolerated = result.error_type in step.allow or (step.expect is not None and step.expect.error_type is not None)
    if tolerated and any(other not in step.allow for other in result.others):
        found = one_line(result.message, 500)
        yield StepBreach(what="error_type", expected="nothing beside that failed", found=found, at=step.at)


def _unexpected_error(step: Step, result: ActionResult) -> bool:
    """Whether the action erred in a way that neither `allow` nor `expect` speaks of."""
    if not result.error_type or result.error_type in step.allow:
        return False
    if step.expect is None:
        return True
    if step.expect.error_type is not None:
        return False
    # An expectation of the exit code or status speaks of exactly that error; any other error is still one.
    spoken = {"exit_code": step.expect.exit_code, "http_status": step.expect.status}
    if result.error_type in ("not_found", "permission_denied", "killed"):
        return step.expect.exit_code is None
    return spoken.get(result.error_type) is None


def _breaches(expect: StepExpect, result: ActionResult) -> Iterator[StepBreach]:
    facts: tuple[tuple[str, Comparator | None, object, bool], ...] = (
        ("exit_code", expect.exit_code, result.exit_code, result.exit_code is not None),
        ("stdout", expect.stdout, result.stdout, result.stdout is not None),
        ("stderr", expect.stderr, result.stderr, result.stderr is not None),
        ("status", expect.status, result.status, result.status is not None),
        ("rows", expect.rows, _rows(result), result.rows is not None),
        ("body", expect.body, result.body, result.body is not None),
        ("error_type", expect.error_type, result.error_type, bool(result.error_type)),
        ("duration", expect.duration, Duration(result.duration_ns), True),
    )
    for what, comparator, value, present in facts:
        if comparator is not None:
            yield from _breach(what, comparator, value, present=present, result=result)
    for name, comparator in expect.headers.items():
        lowered = name.lower()
        yield from _breach(
            f"headers.{name}", comparator, result.headers.get(lowered), present=lowered in result.headers, result=result
        )
    for path, comparator in expect.json.items():
        value, present = at_path(result.json, path) if result.has_json else (None, False)
        yield from _breach(f"json.{path}", comparator, value, present=present, result=result)


def _rows(result: ActionResult) -> list[Json]:
    return [dict(row) for row in result.rows or ()]


def _breach(
    what: str, comparator: Comparator, value: object, *, present: bool, result: ActionResult
) -> Iterator[StepBreach]:
    if _incomplete(what, result) and not _holds_of_a_beginning(what, comparator):
        found = "more than is kept of it: what was not kept cannot be judged"
        yield StepBreach(what=what, expected=describe(comparator), found=found, at=comparator.at)
        return
    judgement = judge(comparator, value, present=present)
    if judgement.holds:
        return
    found = one_line(repr(value) if isinstance(value, str) else str(value), 500)
    if not present:
        found = f"nothing ({result.error_type}: {result.message})" if result.error_type else "nothing"
    yield StepBreach(what=what, expected=describe(comparator), found=found, at=comparator.at)


def _holds_of_a_beginning(what: str, comparator: Comparator) -> bool:
    # The beginning of a JSON text is none.
    return not what.startswith("json.") and all(name in _OF_A_BEGINNING for name, _ in comparator.tests)


def _incomplete(what: str, result: ActionResult) -> bool:
    return ("body" if what.startswith("json.") else what) in result.truncated


def at_path(value: Json, path: str) -> tuple[Json, bool]:
    """Return (the value at `a.b[0].c`, whether it is there); `$` or an empty path is the whole."""
    current = value
    for name, index in _PATH_PART.findall(path.removeprefix("$")):
        if name and isinstance(current, dict) and name in current:
            current = current[name]
        elif index and isinstance(current, list) and int(index) < len(current):
            current = current[int(index)]
        else:
            return None, False
    return current, True

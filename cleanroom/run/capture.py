"""What a step keeps of its result for later ones (spec.md section 4)."""

from __future__ import annotations

import json
import re

from cleanroom.canonical import Json
from cleanroom.drive.json_text import parsed
from cleanroom.drive.result import ActionResult
from cleanroom.run.record import StepBreach
from cleanroom.run.step import at_path
from cleanroom.spec.capture import Capture
from cleanroom.spec.step import Step

_SAID = {"json": "a value at {}", "regex": "something that {} finds", "header": "a header {}"}


def captured_of(step: Step, result: ActionResult) -> tuple[dict[str, Json], tuple[StepBreach, ...]]:
    """Return name → value of what the result has, and a breach for each capture that it has nothing for."""
    found: dict[str, Json] = {}
    missing = []
    for capture in step.capture:
        value, present = _value(capture, result)
        if present:
            found[capture.name] = value
            continue
        what = f"nothing ({result.error_type}: {result.message})" if result.error_type else "nothing"
        wanted = _SAID[capture.by].format(capture.source)
        missing.append(StepBreach(what=f"capture.{capture.name}", expected=wanted, found=what, at=capture.at))
    return found, tuple(missing)


def _value(capture: Capture, result: ActionResult) -> tuple[Json, bool]:
    if capture.by == "header":
        name = capture.source.lower()
        return result.headers.get(name), name in result.headers
    if capture.by == "json":
        whole, present = _whole(result)
        return at_path(whole, capture.source) if present else (None, False)
    match = re.search(capture.source, _text(result))
    if match is None:
        return None, False
    # A group that took no part in the match has no text.
    return (match[1] or "") if match.re.groups else match[0], True


def _whole(result: ActionResult) -> tuple[Json, bool]:
    """Return what a JSON path looks into: the body or reply, the rows, or standard output where that is JSON."""
    if result.has_json:
        return result.json, True
    if result.rows is not None:
        return [dict(row) for row in result.rows], True
    return parsed(result.stdout or "")


def _text(result: ActionResult) -> str:
    if result.rows is not None:
        return json.dumps([dict(row) for row in result.rows], ensure_ascii=False)
    return result.stdout if result.stdout is not None else result.body or ""

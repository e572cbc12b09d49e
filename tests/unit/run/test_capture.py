from __future__ import annotations

import pytest

from cleanroom.drive.result import ActionResult
from cleanroom.run.capture import captured_of
from cleanroom.spec.capture import Capture
from tests.unit.run.worlds import exec_step

BODY = ActionResult(body='{"id": 7}', json={"id": 7, "lines": [{"n": None}]}, has_json=True, headers={"location": "/7"})
PRINTED = ActionResult(exit_code=0, stdout='{"id": "x1", "ok": true}\n')
ROWS = ActionResult(rows=({"id": 1, "name": "a"}, {"id": 2, "name": "b"}))
PLAIN = ActionResult(exit_code=0, stdout="order id=42 stored\n")


@pytest.mark.parametrize(
    ("result", "by", "source", "value"),
    [
        (BODY, "json", "id", 7),
        (BODY, "json", "lines[0].n", None),
        (BODY, "json", "$", {"id": 7, "lines": [{"n": None}]}),
        (BODY, "header", "Location", "/7"),
        (BODY, "regex", r"\d+", "7"),
        (PRINTED, "json", "ok", True),
        (ROWS, "json", "[1].name", "b"),
        (ROWS, "regex", r'"name": "(\w)"', "a"),
        (PLAIN, "regex", r"id=(\d+)", "42"),
        (PLAIN, "regex", "id=(x)?", ""),
    ],
)
def test_what_is_found_is_kept(result, by, source, value):
    step = exec_step("a", capture=(Capture(name="it", by=by, source=source),))
    assert captured_of(step, result) == ({"it": value}, ())


@pytest.mark.parametrize(
    ("result", "by", "source", "expected"),
    [
        (BODY, "json", "other", "a value at other"),
        (PLAIN, "json", "id", "a value at id"),
        (BODY, "header", "etag", "a header etag"),
        (PLAIN, "regex", "absent", "something that absent finds"),
        (ActionResult(), "regex", "x", "something that x finds"),
        (ActionResult(stdout="[" * 100_000), "json", "$", "a value at $"),
    ],
)
def test_nothing_found_is_a_breach(result, by, source, expected):
    kept, (breach,) = captured_of(exec_step("a", capture=(Capture(name="it", by=by, source=source),)), result)
    assert (kept, breach.what, breach.expected, breach.found) == ({}, "capture.it", expected, "nothing")


def test_a_failed_action_says_why_there_is_nothing():
    step = exec_step("a", capture=(Capture(name="it", by="regex", source="x"),))
    _, (breach,) = captured_of(step, ActionResult(error_type="timeout", message="too late"))
    assert breach.found == "nothing (timeout: too late)"

"""The shape of a step's `expect`, and which of its keys a step can have (spec.md section 4)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from cleanroom.spec.comparator import Comparator, judge
from cleanroom.spec.document import Scalar, Table
from cleanroom.spec.query import SessionExpect
from cleanroom.spec.shapes.capture import HEADER_NAME, JSON_PATH
from cleanroom.spec.shapes.comparison import comparator
from cleanroom.spec.shapes.error_type import error_type_comparator
from cleanroom.spec.shapes.place import RefusedError
from cleanroom.spec.shapes.record import Key, Record
from cleanroom.spec.shapes.shape import Shape, integer, table
from cleanroom.spec.step import StepExpect

if TYPE_CHECKING:
    from cleanroom.spec.document import Node
    from cleanroom.spec.shapes.place import Place

_NOT_OF_LISTS = ("gt", "gte", "lt", "lte", "between", "approx", "starts_with", "ends_with", "matches")
_row_count = integer(0)
_any = comparator()


def _rows(node: Node, place: Place) -> Comparator:
    if isinstance(node, Scalar):
        count = Comparator(tests=(("eq", _row_count(node, place)),), at=node.at)
        return Comparator(tests=(("length", count),), at=node.at)
    for key in _NOT_OF_LISTS:
        if isinstance(node, Table) and node.get(key) is not None:
            message = f"{place.path}.{key} can never hold: what is judged here is the list of rows"
            place.log.report("impossible", node.key_at(key), message, suggestion=f"write {{length: {{{key}: …}}}}")
            raise RefusedError
    return _any(node, place)


rows = Shape(
    _rows,
    "a number of rows, or a mapping of comparators for the list of rows",
    {"anyOf": [_row_count, {"allOf": [{"type": "object"}, _any]}]},
    example="{contains: {id: 1}}",
)
"""The rows of SQL: how many, or a comparator of the list, in which each row is a mapping from columns to values."""


def _keyed(expression: str, what: str, example: str) -> Shape[Mapping[str, Comparator]]:
    """Return the shape of comparators by a key that matches `expression`."""
    compiled = re.compile(expression)
    shape = table(
        _any,
        lambda key: "" if compiled.fullmatch(key) else f"is not {what}",
        keys={"pattern": f"^(?:{expression})$"},
        at_least=1,
    )
    return replace(shape, words=f"a mapping from {what} to comparators", example=example)


def _between(low: int, high: int) -> Shape[Comparator]:
    """Return the shape of comparators of a number that only ever lies within these bounds."""
    counted = comparator("count")

    def read(node: Node, place: Place) -> Comparator:
        found = counted(node, place)
        possible = any(judge(found, number).holds for number in range(low, high + 1))
        if not possible and not judge(found, None, present=False).holds:
            message = f"{place.path} can never hold: it is from {low} to {high}"
            place.log.report("impossible", node.at, message)
            raise RefusedError
        return found

    return replace(counted, read=read)


_text = comparator("text")
_KEYS = {
    "exit_code": Key(_between(0, 255), "The exit code of exec and run.", example="0", errors=("impossible",)),
    "stdout": Key(_text, "Standard output.", example="{contains: done}", errors=("impossible",)),
    "stderr": Key(_text, "Standard error.", example='""', errors=("impossible",)),
    "status": Key(_between(100, 599), "The status of the response.", example="201", errors=("impossible",)),
    "headers": Key(
        _keyed(HEADER_NAME, "the name of a header", "{content-type: {starts_with: text/}}"),
        "Headers of the response, by name in any case.", errors=("impossible",),
    ),
    "body": Key(_text, "The body of the response, or the reply of Redis, as text.", example="{contains: ok}",
                errors=("impossible",)),
    "json": Key(
        _keyed(JSON_PATH, "a JSON path", "{order.total: {gt: 0}}"),
        "Values of a body (or Redis reply) that is JSON, by path: `a.b[0].c`, or `$` for the whole.",
        errors=("impossible",),
    ),
    "rows": Key(
        rows, "The rows of SQL: their number, or a comparator of the list of rows (mappings from columns to values).",
        errors=("impossible",),
    ),
    "error_type": Key(
        error_type_comparator, "How the action failed; an action that did not fail has none.",
        example="connection_refused", errors=("wrong-value",),
    ),
    "duration": Key(comparator("duration"), "How long the action took.", example="{lte: 2s}"),
}  # fmt: skip
_STEP_EXPECT = Record(
    place="scenarios[].steps[].expect",
    doc="What must hold of the step's result. Without it an exec or run must exit 0, an http must answer below 400, "
    "a sql or redis must not raise.",
    keys=_KEYS,
    not_empty=True,
    names=frozenset({"captured"}),
)
step_expect = _STEP_EXPECT.making(StepExpect)
"""At least one check of a step's result."""
_SESSION_EXPECT = Record(
    place="scenarios[].steps[].sql.sessions[].steps[].expect",
    doc="What must hold of one statement's result. Without it the statement must not raise.",
    keys={
        "rows": Key(rows, "The rows: a number, or a comparator of the list of rows."),
        "error_type": Key(
            error_type_comparator, "How the statement failed.", example='"sql:40001"', errors=("wrong-value",)
        ),
        "duration": Key(comparator("duration"), "How long it took, waiting for locks included.", example="{gte: 1s}"),
    },
    not_empty=True,
)
session_expect = _SESSION_EXPECT.making(SessionExpect)
_ALWAYS = frozenset({"error_type", "duration"})
_OF_PROCESS = frozenset({"exit_code", "stdout", "stderr"})
RESULTS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "exec": _OF_PROCESS | _ALWAYS,
        "run": _OF_PROCESS | _ALWAYS,
        "http": frozenset({"status", "headers", "body", "json"}) | _ALWAYS,
        "sql": frozenset({"rows"}) | _ALWAYS,
        "redis": frozenset({"body", "json"}) | _ALWAYS,
    }
)
"""What the result of each action has; all others have only an error type and a duration."""


def check_expect_fits(action: str, step: Table, place: Place) -> None:
    """Report each key of a step's `expect` that its action never has, and rows that belong to sessions."""
    expected = step.get("expect")
    known = RESULTS.get(action, _ALWAYS)
    for entry in expected.entries if isinstance(expected, Table) else ():
        if entry.key in _KEYS and entry.key not in known:
            message = f"{place.path}.expect.{entry.key} can never hold: a step with {action} has none"
            place.log.report("impossible", entry.at, message)
    asked = step.get("sql")
    if not isinstance(asked, Table) or asked.get("sessions") is None:
        return
    for key, inside in (("rows", expected), ("capture", step)):
        if isinstance(inside, Table) and inside.get(key) is not None:
            message = f"{place.path} has no rows of its own: each statement of its sessions has some"
            hint = "write the expectation beside the statement" if key == "rows" else "capture in a step with one query"
            place.log.report("impossible", inside.key_at(key), message, suggestion=hint)

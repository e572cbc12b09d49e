"""The shape of `scenarios` and their steps (spec.md section 4)."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from cleanroom.spec.document import Table, plain
from cleanroom.spec.operand import shown
from cleanroom.spec.problem import nearest
from cleanroom.spec.scenario import (
    Action,
    ExecAction,
    HealAction,
    HttpAction,
    InjectAction,
    Scenario,
    SleepAction,
    Step,
    StepExpect,
)
from cleanroom.spec.shapes.chaos import fault
from cleanroom.spec.shapes.comparison import comparator
from cleanroom.spec.shapes.expect import scenario_expect
from cleanroom.spec.shapes.shape import (
    Record,
    RefusedError,
    boolean,
    free_text,
    items,
    name,
    not_available,
    pattern_text,
    scalar_text,
    table,
    text,
)
from cleanroom.spec.shapes.value import command, duration, names, port, positive_duration, reason, variables, words

if TYPE_CHECKING:
    from cleanroom.canonical import Json
    from cleanroom.spec.document import Node
    from cleanroom.spec.shapes.shape import Place

ERROR_TYPES = (
    "exit_code", "timeout", "killed", "oom_killed", "container_killed", "network_failure", "connection_refused",
    "connection_reset", "dns_failure", "tls", "http_status", "not_found", "permission_denied", "not_started", "engine",
)  # fmt: skip
_LATER_ERROR_TYPES = ("redis",)
_method = pattern_text(r"[A-Z]{1,20}", "an HTTP method in capitals")
_request_path = pattern_text(r"/[^\s\x00-\x1f#]*", "a path that begins with /, without spaces")


def _json(node: Node, _place: Place) -> Json:
    value: Json = plain(node)
    return value


def _stdin(node: Node, place: Place) -> str:
    return scalar_text(node, place)


_EXEC = Record(
    place="scenarios[].steps[].exec",
    keys={
        "service": text,
        "command": command,
        "user": text,
        "env": variables,
        "stdin": _stdin,
        "working_dir": text,
    },
    required=("service", "command"),
)
_HTTP = Record(
    place="scenarios[].steps[].http",
    keys={
        "service": text,
        "port": port,
        "path": _request_path,
        "method": _method,
        "headers": words,
        "query": words,
        "json": _json,
        "body": free_text,
        "form": words,
        "follow": boolean,
    },
    later=frozenset({"url", "tls_verify"}),
    required=("service",),
    instead=frozenset({"url"}),
)


def _exec_action(node: Node, place: Place) -> ExecAction:
    return ExecAction(**_EXEC(node, place).values)


def _http_action(node: Node, place: Place) -> HttpAction:
    fields = _HTTP(node, place)
    bodies = sorted(fields.written & {"json", "body", "form"})
    if len(bodies) > 1:
        message = f"{place.path} has {' and '.join(bodies)}"
        expected = "at most one of json, body and form"
        place.log.report("one-of", fields.node.key_at(bodies[1]), message, expected=expected)
        raise RefusedError
    return HttpAction(has_json="json" in fields.written, **fields.values)


_STEP_EXPECT = Record(
    place="scenarios[].steps[].expect",
    keys={
        "exit_code": comparator("count"),
        "stdout": comparator("text"),
        "stderr": comparator("text"),
        "status": comparator("count"),
        "headers": table(comparator()),
        "body": comparator("text"),
        "json": table(comparator()),
        "error_type": comparator(words=ERROR_TYPES),
        "duration": comparator("duration"),
    },
    later=frozenset({"rows"}),
)
_OF_EXEC = frozenset({"exit_code", "stdout", "stderr"})
_OF_HTTP = frozenset({"status", "headers", "body", "json"})


def _step_expect(node: Node, place: Place) -> StepExpect:
    fields = _STEP_EXPECT(node, place)
    if not fields.written:
        raise place.wrong(node, "at least one check", code="empty-expect")
    return StepExpect(**fields.values)


def _error_type(node: Node, place: Place) -> str:
    value = text(node, place)
    if value in ERROR_TYPES:
        return value
    if value in _LATER_ERROR_TYPES or value.startswith("sql:"):
        raise not_available(node, place, f"the error type {shown(value)}")
    close = nearest(value, ERROR_TYPES)
    hint = f"did you mean {close}?" if close else ""
    raise place.wrong(node, "an error type: " + ", ".join(ERROR_TYPES), code="wrong-value", suggestion=hint)


_ACTIONS = {
    "exec": _exec_action,
    "http": _http_action,
    "sleep": lambda node, place: SleepAction(duration=duration(node, place)),
    "inject": lambda node, place: InjectAction(fault=text(node, place)),
    "heal": lambda node, place: HealAction(fault=text(node, place)),
}
_LATER_ACTIONS = frozenset({"run", "sql", "redis", "wait_for", "parallel", "workload", "snapshot"})
_STEP = Record(
    place="scenarios[].steps[]",
    keys={
        **_ACTIONS,
        "name": name,
        "timeout": positive_duration,
        "grace": duration,
        "expect": _step_expect,
        "allow": items(_error_type, at_least=1),
        "optional": boolean,
        "continue_on_failure": boolean,
    },
    later=_LATER_ACTIONS | {"retry", "capture"},
    required=("name",),
)


def _step(node: Node, place: Place) -> Step:
    fields = _STEP(node, place)
    written = sorted(fields.written & {*_ACTIONS, *_LATER_ACTIONS})
    if len(written) != 1:
        got = f"{' and '.join(written)}" if written else "none"
        message = f"{place.path} takes exactly one action"
        place.log.report("one-of", node.at, message, expected=f"one of {', '.join(_ACTIONS)}", got=got)
        raise RefusedError
    if written[0] not in fields.values:
        raise RefusedError
    action: Action = fields.take(written[0])
    _check_expect_fits(written[0], fields.node, place)
    return Step(action=action, at=node.at, **fields.values)


def _check_expect_fits(action: str, node: Table, place: Place) -> None:
    expected = node.get("expect")
    if not isinstance(expected, Table):
        return
    foreign = {"exec": _OF_HTTP, "http": _OF_EXEC}.get(action, _OF_EXEC | _OF_HTTP)
    for entry in expected.entries:
        if entry.key in foreign:
            message = f"{place.path}.expect.{entry.key} can never hold: a step with {action} has none"
            place.log.report("impossible", entry.at, message)


_SCENARIO = Record(
    place="scenarios[]",
    keys={
        "name": name,
        "description": free_text,
        "tags": names,
        "timeout": positive_duration,
        "steps": items(_step),
        "chaos": items(fault),
        "expect": scenario_expect,
        "allow_inconclusive": reason,
    },
    later=frozenset({"deadline", "steady_state", "expect_failure", "known_failure", "property", "vary"}),
    required=("name", "steps"),
    advice=MappingProxyType({"faults": "did you mean chaos?"}),
)
RECORDS = (_SCENARIO, _STEP, _STEP_EXPECT, _EXEC, _HTTP)


def scenario(node: Node, place: Place) -> Scenario:
    """Read one scenario; steps and faults that do not fit are reported and left out."""
    fields = _SCENARIO(node, place)
    steps: Any = fields.node.get("steps")
    if not steps.items:
        at = fields.node.key_at("steps")
        place.log.report("empty-list", at, f"{place.path} has no steps", expected="at least one step")
    return Scenario(at=node.at, **fields.values)

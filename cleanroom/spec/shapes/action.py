"""The shapes of actions that hold no steps, and of a step with some of them (spec.md section 4)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from cleanroom.spec.shapes.capture import captures
from cleanroom.spec.shapes.error_type import error_types
from cleanroom.spec.shapes.probe import PROBE_KEYS, QUESTIONS, probe, probe_of
from cleanroom.spec.shapes.query import exec_action, http_action, redis_action
from cleanroom.spec.shapes.record import Key, Record
from cleanroom.spec.shapes.retry import retry
from cleanroom.spec.shapes.session import sql_action
from cleanroom.spec.shapes.shape import Shape, boolean, fixed_text, name
from cleanroom.spec.shapes.step_expect import RESULTS, check_expect_fits, step_expect
from cleanroom.spec.shapes.value import command, duration, positive_duration, variables
from cleanroom.spec.step import (
    HealAction,
    InjectAction,
    RunAction,
    SleepAction,
    SnapshotAction,
    Step,
    WaitForAction,
    WorkloadAction,
)

if TYPE_CHECKING:
    from cleanroom.spec.document import Node
    from cleanroom.spec.shapes.place import Place
    from cleanroom.spec.shapes.record import Fields

CAPTURED = frozenset({"captured"})
_RUN = Record(
    place="scenarios[].steps[].run",
    doc="A one-shot container on the environment's network, removed when it has ended.",
    keys={
        "image": Key(fixed_text, "The image it is made from.", example="curlimages/curl:8.11.0"),
        "service": Key(
            fixed_text, "The service whose image, environment and files it has.", example="api",
            errors=("unknown-service",),
        ),
        "command": Key(command, "What it runs; by default the image's own command.", example="[curl, -f, http://api/]"),
        "env": Key(variables, "Variables added to its environment.", example="{LEVEL: debug}"),
    },
    exactly_one=("image", "service"),
    advice=MappingProxyType({"environment": "did you mean env?"}),
)  # fmt: skip
_WAIT_FOR = Record(
    place="scenarios[].steps[].wait_for",
    doc="A probe that is asked until it holds.",
    keys={
        **{name: key for name, key in PROBE_KEYS.items() if name not in ("timeout", "optional")},
        "timeout": Key(
            positive_duration, "How long to go on asking; by default as long as the step may take.", example="10s",
            errors=("contradiction",),
        ),
    },
    exactly_one=QUESTIONS,
    advice=MappingProxyType({"optional": "write it beside wait_for: the step is optional"}),
)  # fmt: skip


def _wait_for(node: Node, place: Place) -> WaitForAction:
    fields = _WAIT_FOR(node, place)
    timeout = fields.take("timeout")
    return WaitForAction(probe=probe_of(fields, place, QUESTIONS), timeout=timeout)


_SNAPSHOT = Record(
    place="scenarios[].steps[].snapshot",
    doc="A value that invariants compare later (`unchanged`, `delta`, `drift`, `dump_digest`).",
    keys={
        "id": Key(
            fixed_text, "The name that invariants use, unique in the scenario.", example="stock",
            errors=("duplicate-snapshot",),
        ),
        "of": Key(
            probe, "The probe or query whose value is kept.",
            example='{sql: {service: db, query: "select sum(left) from stock"}}',
        ),
    },
    required=("id", "of"),
)  # fmt: skip

_FAULT = Key(fixed_text, "", example="slow-db")
CLIENTS: Mapping[str, Key] = MappingProxyType({
    "exec": Key(exec_action, "Runs a command inside a service.", example="{service: db, command: [pg_isready]}"),
    "run": Key(
        _RUN.making(RunAction), "Runs a one-shot container on the network.",
        example="{image: 'curlimages/curl:8.11.0', command: [curl, -f, http://api/]}",
    ),
    "http": Key(http_action, "Makes an HTTP request.", example="{service: api, port: 8080, path: /orders}"),
    "sql": Key(
        sql_action, "Sends SQL.", example='{service: db, query: "select count(*) from orders"}'
    ),
    "redis": Key(redis_action, "Sends Redis commands.", example="{service: cache, command: [PING]}"),
})  # fmt: skip
"""Actions that ask a service something and have a result."""
LEAVES: Mapping[str, Key] = MappingProxyType({
    **CLIENTS,
    "sleep": Key(
        duration.then(lambda found: SleepAction(duration=found)), "Waits for this long.", example="500ms",
        errors=("contradiction",),
    ),
    "wait_for": Key(
        Shape(_wait_for, "a mapping", _WAIT_FOR), "Asks a probe until it holds.",
        example="{tcp: {service: db, port: 5432}, timeout: 10s}",
    ),
    "inject": Key(
        _FAULT.shape.then(lambda fault: InjectAction(fault=fault)), "Starts the fault with this id (`at: manual`).",
        example="slow-db", errors=("unknown-fault", "not-manual"),
    ),
    "heal": Key(
        _FAULT.shape.then(lambda fault: HealAction(fault=fault)), "Ends the fault with this id.", example="slow-db",
        errors=("unknown-fault", "not-manual", "impossible"),
    ),
    "snapshot": Key(
        _SNAPSHOT.making(SnapshotAction), "Keeps a value for invariants.",
        example="{id: pages, of: {http: {service: db, path: /count}}}",
    ),
})  # fmt: skip
"""Every action but those that hold steps."""
_COMMON: Mapping[str, Key] = MappingProxyType({
    "name": Key(name, "The step's name, unique in the scenario; its span is `cleanroom.step:<name>`.", example="place",
                errors=("duplicate-step",)),
    "timeout": Key(
        positive_duration, "How long the action may take; then it is ended and fails with `timeout`.", default="30s",
        example="5s",
    ),
    "grace": Key(
        duration, "How long a command that is ended has between SIGTERM and SIGKILL, each to its whole process group.",
        default="2s", example="500ms", errors=("contradiction",),
    ),
    "retry": Key(
        retry, "Tries the action again when it fails; `expect` judges the last attempt.", example="{attempts: 3}",
        errors=("contradiction",),
    ),
    "capture": Key(
        captures, "Keeps values of the result for later steps.", errors=("impossible", "contradiction"),
    ),
    "expect": Key(step_expect, "What must hold of the result.", example="{exit_code: 0}", errors=("impossible",)),
    "allow": Key(error_types, "Error types that do not fail the step.", example="[timeout, connection_refused]"),
    "optional": Key(boolean, "Whether its failure only degrades the outcome (`degraded`).", default="false"),
    "continue_on_failure": Key(boolean, "Whether the steps after it run when it fails.", default="false"),
})  # fmt: skip
_WITH_GRACE = frozenset({"exec", "run", "parallel", "workload"})
"""Actions with processes that can be asked to end."""


def step_with(place: str, doc: str, actions: Mapping[str, Key], without: frozenset[str] = frozenset()) -> Shape[Step]:
    """Return the shape of a step at `place` with exactly one of `actions`; `without` some of the common keys."""
    common = {name: key for name, key in _COMMON.items() if name not in without}
    record = Record(
        place=place,
        doc=doc,
        keys={**actions, **common},
        required=("name",),
        exactly_one=tuple(actions),
        names=CAPTURED,
    )

    def read(node: Node, place: Place) -> Step:
        fields = record(node, place)
        action, value = fields.only(record.exactly_one)
        check_expect_fits(action, fields.node, place)
        _check_common(action, fields, place)
        values = {key: found for key, found in fields.values.items() if key in _COMMON}
        step = Step(action=value, at=node.at, **values)
        _check_wait(step, fields, place)
        _check_sleep(step, fields, place)
        return step

    return Shape(read, "a step", record)


def _check_common(action: str, fields: Fields, place: Place) -> None:
    """Report common keys that would do nothing beside this action."""
    log, node = place.log, fields.node
    if "grace" in fields.written and action not in _WITH_GRACE:
        message = f"{place.path}.grace is for processes that are ended, and {action} has none"
        expected = "grace only with exec, run, parallel and workload"
        log.report("contradiction", node.key_at("grace"), message, expected=expected)
    if action in RESULTS:
        for capture in fields.values.get("capture", ()):
            if capture.by == "header" and action != "http":
                message = f"{place.path}.capture.{capture.name} can never be found: a step with {action} has no headers"
                log.report("impossible", capture.at, message)
        return
    for key, why in (("retry", "is not tried again"), ("capture", "has no result to keep")):
        if key in fields.written:
            message = f"{place.path}.{key} stands beside {action}, which {why}"
            log.report("contradiction", node.key_at(key), message, expected=f"{key} only with {', '.join(RESULTS)}")


def _check_sleep(step: Step, fields: Fields, place: Place) -> None:
    """Report a sleep or a workload that the timeout cuts: the step fails each time, unless it says that it may."""
    action = step.action
    key, lasts = ("workload", action.workload.duration) if isinstance(action, WorkloadAction) else ("sleep", None)
    lasts = action.duration if isinstance(action, SleepAction) else lasts
    if lasts is None or lasts <= step.timeout:
        return
    if step.expect is not None or "timeout" in step.allow or step.optional:
        return
    at = fields.node.key_at("timeout" if "timeout" in fields.written else key)
    message = f"{place.path} ends after {step.timeout}, before its {key} of {lasts} is over"
    place.log.report("contradiction", at, message, suggestion="give the step a longer timeout")


def _check_wait(step: Step, fields: Fields, place: Place) -> None:
    """Report a wait that the step's own timeout cuts before its end: it could never fail by its own words."""
    action = step.action
    if not isinstance(action, WaitForAction) or action.timeout is None or action.timeout <= step.timeout:
        return
    at = fields.node.key_at("timeout" if "timeout" in fields.written else "wait_for")
    message = f"{place.path} ends after {step.timeout}, before its wait_for gives up after {action.timeout}"
    place.log.report("contradiction", at, message, suggestion="give the step a longer timeout")

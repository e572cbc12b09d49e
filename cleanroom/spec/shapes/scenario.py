"""The shape of `scenarios` (spec.md section 4)."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from cleanroom.spec.scenario import SCENARIO_TIMEOUT, ExpectedFailure, KnownFailure, Scenario
from cleanroom.spec.shapes.chaos import fault
from cleanroom.spec.shapes.determinism import NUISANCES
from cleanroom.spec.shapes.distinct import distinct
from cleanroom.spec.shapes.expect import scenario_expect
from cleanroom.spec.shapes.property import generated
from cleanroom.spec.shapes.record import Key, Record
from cleanroom.spec.shapes.shape import Shape, boolean, choice, either, fixed_text, free_text, items, name
from cleanroom.spec.shapes.steady_state import steady_state
from cleanroom.spec.shapes.step import step
from cleanroom.spec.shapes.value import names, positive_duration, reason
from cleanroom.spec.step import SleepAction

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cleanroom.spec.document import Node
    from cleanroom.spec.shapes.place import Place
    from cleanroom.spec.shapes.record import Fields

_KNOWN_FAILURE = Record(
    place="scenarios[].known_failure",
    doc="An accepted defect: the scenario's failure is reported as known and not counted.",
    keys={
        "reason": Key(fixed_text, "Why it fails, which every report repeats.", example="rounding is not decided yet"),
        "strict": Key(
            boolean, "Whether passing unexpectedly is a finding, so that the entry does not outlive the defect.",
            default="true", example="false",
        ),
    },
    required=("reason",),
)  # fmt: skip
_expect_failure = either(
    "true, false or {reason: …}",
    scalar=boolean.then(lambda expected: ExpectedFailure() if expected else None),
    mapping=reason.then(lambda why: ExpectedFailure(reason=why)),
)
_SCENARIO = Record(
    place="scenarios[]",
    doc="Steps in order, the faults that disturb them, and what must hold of the scenario's spans. It is `passed`, "
    "`degraded` (only what is `optional` failed), `failed`, `inconclusive` or `error`.",
    keys={
        "name": Key(name, "The scenario's name, unique in the suite.", example="an order is stored",
                    errors=("duplicate-scenario",)),
        "description": Key(free_text, "What it shows, for people.", example="orders survive a restart"),
        "tags": Key(names, "Words by which `run --tags` chooses scenarios.", example="[smoke]"),
        "timeout": Key(
            positive_duration,
            "How long the steps may take together; then the running one is ended and the scenario fails.",
            default="60s", example="2m",
        ),
        "deadline": Key(
            positive_duration,
            "An offset from the scenario's start: a step that would begin later is not started and named so, and the "
            "running one is cut.", example="45s", errors=("contradiction",),
        ),
        "steady_state": Key(
            steady_state, "What must hold of the system before, during and after the steps.",
            example="{probes: [{tcp: {service: db, port: 5432}}]}",
        ),
        "steps": Key(items(step, at_least=1), "What is done, in order.",
                     example="[{name: place, http: {service: api, path: /orders}}]"),
        "chaos": Key(items(fault), "The faults of this scenario.", errors=("never-looks", "duplicate-fault")),
        "expect": Key(scenario_expect, "What must hold of this scenario's spans.", example="{outcome: passed}"),
        "expect_failure": Key(
            _expect_failure,
            "At least one step must fail in the way its `expect` says; if none fails, that is a finding.",
            default="false", example="{reason: the stock is empty}", errors=("contradiction",),
        ),
        "known_failure": Key(
            _KNOWN_FAILURE.making(KnownFailure), "An accepted defect, which is reported as such and not counted.",
            example="{reason: rounding is not decided yet}", errors=("contradiction",),
        ),
        "allow_inconclusive": Key(
            reason, "Faults without evidence do not fail this scenario, for this reason.",
            example="{reason: the runner may lack netem}",
        ),
        "property": Key(
            generated,
            "Runs the steps for many generated examples, each within `timeout`, and must hold for all of them. The "
            "steps that are reported are those of the smallest example that fails, else of the first.",
            example="{given: {amount: integer}}", errors=("contradiction",),
        ),
        "vary": Key(
            distinct(items(choice(*NUISANCES), at_least=1), "nuisance"),
            "Nuisances that vary between this scenario's iterations, besides those of `determinism.vary`: one in each "
            "iteration, the first is the control.", example="[start_order, timezone]",
        ),
    },
    required=("name", "steps"),
    names_with=MappingProxyType({"property": frozenset({"example"})}),
    advice=MappingProxyType({"faults": "did you mean chaos?"}),
)  # fmt: skip


def _scenario(node: Node, place: Place) -> Scenario:
    fields = _SCENARIO(node, place)
    _check_together(fields, place)
    return Scenario(at=node.at, **fields.values)


def _check_together(fields: Fields, place: Place) -> None:
    """Report keys that contradict each other."""
    values, node, log = fields.values, fields.node, place.log
    timeout = values.get("timeout", SCENARIO_TIMEOUT)
    if "deadline" in values and values["deadline"] > timeout:
        message = f"{place.path}.deadline is never reached: the scenario's timeout of {timeout} comes first"
        log.report("contradiction", node.key_at("deadline"), message, expected="a deadline at most as long as timeout")
    _check_first(values, fields, place)
    if values.get("property") is not None and values.get("chaos"):
        message = f"{place.path} has a property, whose examples are many, and faults, which strike once"
        log.report("contradiction", node.key_at("chaos"), message, suggestion="make them two scenarios")
    if values.get("expect_failure") is not None and "known_failure" in fields.written:
        message = f"{place.path} says that failing is right (expect_failure) and that it is a defect (known_failure)"
        log.report("contradiction", node.key_at("known_failure"), message, suggestion="keep one of them")


def _check_first(values: Mapping[str, Any], fields: Fields, place: Place) -> None:
    """Report a deadline that always cuts the first step: it could never pass."""
    first = next(iter(values.get("steps", ())), None)
    if first is None or "deadline" not in values or not isinstance(first.action, SleepAction):
        return
    if first.action.duration > values["deadline"] and "timeout" not in first.allow and first.expect is None:
        message = f"{place.path}.deadline ends the first step, which sleeps for {first.action.duration}, each time"
        at = fields.node.key_at("deadline")
        place.log.report("contradiction", at, message, suggestion="give the scenario a later deadline")


scenario: Shape[Scenario] = Shape(_scenario, "a scenario", _SCENARIO)
"""One scenario; steps and faults that do not fit are reported and left out."""

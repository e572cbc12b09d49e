"""Faults of one's own, and faults made of other faults (spec.md section 8)."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from cleanroom.spec.document import Scalar
from cleanroom.spec.shapes.comparison import comparator
from cleanroom.spec.shapes.fault_kind import Kind, any_values, parameter
from cleanroom.spec.shapes.query import exec_action
from cleanroom.spec.shapes.shape import Shape, fixed_text, integer, items, number, table
from cleanroom.spec.shapes.value import duration, positive_duration, references

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cleanroom.spec.document import Node
    from cleanroom.spec.query import ExecAction
    from cleanroom.spec.shapes.place import Place


def _proof(node: Node, place: Place) -> ExecAction | bool:
    if isinstance(node, Scalar) and node.value is False:
        return False
    if isinstance(node, Scalar):
        raise place.wrong(node, "the command that proves the effect, or false with a verify_reason")
    return exec_action(node, place)


_proof_shape = Shape(
    _proof,
    "the command that proves the effect, or false with a verify_reason",
    {"anyOf": [exec_action, {"const": False}]},
    example="{service: db, command: [test, -e, /tmp/broken]}",
)

CUSTOM: Mapping[str, Kind] = MappingProxyType({
    "custom": Kind(
        doc="A fault of your own: three commands that inject it, prove its effect and take it away.",
        parameters={
            "inject": parameter(
                exec_action, "Injects it; must exit 0.", example="{service: db, command: [touch, /tmp/broken]}"
            ),
            "verify": parameter(
                _proof_shape,
                "Proves its effect by exit code 0, and its reversal by another one; `false` needs `verify_reason`.",
            ),
            "revert": parameter(
                exec_action, "Takes it away; must exit 0.", example="{service: db, command: [rm, /tmp/broken]}"
            ),
        },
        required=("inject", "verify", "revert"),
        rungs=("exec",), may_lack_target=True, available=True,
    ),
})  # fmt: skip

_weight = number(0, above=True)
_weights = table(_weight, at_least=1)
_faults = items(fixed_text, at_least=2)
_manual = "faults of this scenario with `at: manual`"

COMPOSITE: Mapping[str, Kind] = MappingProxyType({
    "composite.monkey": Kind(
        doc="At every tick chance decides whether a fault strikes, which and whom; all of it is drawn into the plan. "
        "Proven when each strike up to its end is; one that drew no strike proves nothing.",
        parameters={
            "rate": parameter(number(0, 1, above=True), "The chance at each tick that one strikes.", example="0.3"),
            "every": parameter(positive_duration, "The time from tick to tick; a fault without `for` lasts as long."),
            "weights": parameter(
                _weights,
                f"How often each is chosen, in proportion: kinds of faults, or ids of {_manual}.",
                example="{container.kill: 1, slow-db: 3}",
            ),
            "max_concurrent": parameter(integer(1, 1000), "How many may be active at a time.", "1", example="2"),
        },
        required=("rate", "every", "weights"),
        may_lack_target=True, in_container=False, available=True,
    ),
    "composite.cascade": Kind(
        doc="A failure of `root` whose way through its dependents is measured, hop by hop: their readiness is asked "
        "all the time. Proven when each was ready before, and then not, in their order.",
        parameters={
            "root": parameter(
                fixed_text, "The id of a fault of this scenario with `at: manual`, or a service, which is killed.",
                example="db",
            ),
            "dependents": parameter(references, "Services in the order in which the failure reaches them.",
                                    example="[api, web]"),
            "delay": parameter(duration, "The time after which each hop is looked for.", "0", example="500ms"),
        },
        required=("root", "dependents"),
        struck_by=(), in_container=False, available=True,
    ),
    "composite.concurrent": Kind(
        doc="Several faults begin and end together; proven when each of them is.",
        parameters={"faults": parameter(_faults, f"The ids of {_manual}.", example="[slow-db, full-disk]")},
        required=("faults",),
        struck_by=(), in_container=False, available=True,
    ),
    "composite.sweep": Kind(
        doc="One fault with one parameter at several values: the scenario runs once for each value, as a scenario and "
        "in an environment of its own.",
        parameters={
            "fault": parameter(fixed_text, "A kind of fault, or the id of one of this scenario with `at: manual`.",
                               example="network.latency"),
            "parameter": parameter(fixed_text, "The parameter of that fault which varies.", example="delay"),
            "values": parameter(any_values, "Its values, in order.", example="[100ms, 200ms, 400ms]"),
            "slope": parameter(
                comparator("number"),
                "What must hold of the slope: how much the mean duration of the steps grows with the parameter, both in"
                " their base units (seconds, bytes, bits a second, or the number itself).",
                example="{lte: 1.5}",
            ),
        },
        required=("fault", "parameter", "values"),
        may_lack_target=True, in_container=False, available=True, nested=True,
    ),
})  # fmt: skip

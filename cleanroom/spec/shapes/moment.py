"""The shape of a fault's `at`: when it begins (spec.md section 8)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cleanroom.quantity import Duration
from cleanroom.spec.document import Scalar
from cleanroom.spec.fault import AtManual, AtOffset, AtProbe, AtStep, Moment
from cleanroom.spec.problem import nearest
from cleanroom.spec.shapes.place import RefusedError
from cleanroom.spec.shapes.probe import probe
from cleanroom.spec.shapes.record import Key, Record
from cleanroom.spec.shapes.shape import Shape, either, fixed_text
from cleanroom.spec.shapes.value import duration

if TYPE_CHECKING:
    from cleanroom.spec.document import Node
    from cleanroom.spec.shapes.place import Place

_WORDS = "a duration such as 2s, or manual"
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_NUMBER = re.compile(r"\s*[-+.\d]")
_STEPS = ("before_step", "after_step", "during_step")
_AT = Record(
    place="scenarios[].chaos[].at",
    doc="The event at which a fault begins.",
    keys={
        "before_step": Key(fixed_text, "It begins before this step starts, and the step waits for it.", example="place",
                           errors=("unknown-step",)),
        "after_step": Key(fixed_text, "It begins when this step has ended, and the next one waits for it.",
                          example="place", errors=("unknown-step",)),
        "during_step": Key(fixed_text, "It begins while this step runs.", example="place", errors=("unknown-step",)),
        "offset": Key(duration, "The time after the step of `during_step` has started.", default="0s", example="200ms"),
        "when": Key(probe, "It begins as soon as the probe holds.", example="{tcp: {service: db, port: 5432}}"),
    },
    exactly_one=(*_STEPS, "when"),
    needs={"offset": "during_step"},
)  # fmt: skip


def _scalar(node: Node, place: Place) -> Moment:
    if isinstance(node, Scalar) and node.value == "manual":
        return AtManual()
    if isinstance(node, Scalar) and isinstance(node.value, str) and _DATE.match(node.value):
        # clock.freeze has a parameter of the same name (spec.md section 8).
        hint = "what clock.freeze shows is written as parameters: {at: …}"
        raise place.wrong(node, _WORDS, code="wrong-value", suggestion=hint)
    if isinstance(node, Scalar) and isinstance(node.value, str) and not _NUMBER.match(node.value):
        hint = (
            "did you mean manual?" if nearest(node.value, ("manual",)) else "to begin at a step, write {before_step: …}"
        )
        raise place.wrong(node, _WORDS, code="wrong-value", suggestion=hint)
    return AtOffset(offset=duration(node, place))


def _event(node: Node, place: Place) -> Moment:
    fields = _AT(node, place)
    key, value = fields.only(_AT.exactly_one)
    if "offset" in fields.written and "offset" not in fields.values:
        raise RefusedError
    match key:
        case "when":
            return AtProbe(probe=value)
        case "before_step":
            return AtStep(moment="before", step=value)
        case "after_step":
            return AtStep(moment="after", step=value)
        case _:
            return AtStep(moment="during", step=value, offset=fields.values.get("offset", Duration(0)))


moment = either(
    "a duration from the scenario's first step, manual, or one of before_step, after_step, during_step and when",
    scalar=Shape(_scalar, _WORDS, {"anyOf": [{"const": "manual"}, duration]}, example="2s"),
    mapping=Shape(_event, "a mapping", _AT),
)
"""When a fault begins."""

"""The shape of `retry` (spec.md section 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cleanroom.spec.retry import Retry
from cleanroom.spec.shapes.error_type import error_types
from cleanroom.spec.shapes.place import RefusedError
from cleanroom.spec.shapes.record import Key, Record
from cleanroom.spec.shapes.shape import Shape, integer, number
from cleanroom.spec.shapes.value import positive_duration

if TYPE_CHECKING:
    from cleanroom.spec.document import Node
    from cleanroom.spec.shapes.place import Place

MOST_ATTEMPTS = 1000
_RETRY = Record(
    place="retry",
    doc="How often what failed is tried again, and with what pauses; of a step, or of every operation of a workload.",
    keys={
        "attempts": Key(integer(2, MOST_ATTEMPTS), "How many attempts there are, the first included.", example="3"),
        "initial": Key(
            positive_duration, "The pause before the second attempt.", default="100ms", example="200ms",
            errors=("contradiction",),
        ),
        "factor": Key(number(1, 100), "What each pause is multiplied by for the next one.", default="2", example="1.5"),
        "max": Key(positive_duration, "The longest pause.", default="10s", example="5s", errors=("contradiction",)),
        "jitter": Key(
            number(0, 1), "The share of every pause that is drawn from the seed: 0.5 makes it 50 % to 100 % of itself.",
            default="0", example="0.5",
        ),
        "on": Key(error_types, "Only these error types are tried again; by default all.", example="[timeout, tls]"),
    },
    required=("attempts",),
)  # fmt: skip


def _retry(node: Node, place: Place) -> Retry:
    fields = _RETRY(node, place)
    read = Retry(**fields.values)
    if read.max < read.initial:
        at = fields.node.key_at("max" if "max" in fields.written else "initial")
        message = f"{place.path} begins with {read.initial}, which is longer than its longest pause, {read.max}"
        place.log.report("contradiction", at, message, expected="initial at most max")
        raise RefusedError
    return read


retry = Shape(_retry, "a mapping", _RETRY)
"""`{attempts: 3, …}`."""

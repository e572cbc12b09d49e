"""The shape of steps (spec.md section 4)."""

from __future__ import annotations

from cleanroom.spec.shapes.action import LEAVES, step_with
from cleanroom.spec.shapes.record import Key
from cleanroom.spec.shapes.shape import Shape, items
from cleanroom.spec.shapes.workload import workload
from cleanroom.spec.step import ParallelAction, Step

_WORKLOAD = Key(
    workload, "Lets workers do many operations.",
    example="{workers: 10, operations: 1000, mix: [{step: {name: read, http: {service: api, path: /orders}}}]}",
)  # fmt: skip
_INNER = step_with(
    "scenarios[].steps[].parallel[]",
    "A step that begins together with its neighbours, when all of them are ready. What it captures is known after all "
    "have ended.",
    {**LEAVES, "workload": _WORKLOAD},
)
_PARALLEL = Key(
    items(_INNER, at_least=1).then(lambda steps: ParallelAction(steps=steps)),
    "Runs steps at the same time, begun on a barrier; it fails when one of them does.",
    example="[{name: left, http: {service: api}}, {name: right, http: {service: web}}]",
    errors=("impossible",),
)  # fmt: skip
step: Shape[Step] = step_with(
    "scenarios[].steps[]",
    "One step: a name and exactly one action. Steps run in order, and a failed one skips the rest unless "
    "`continue_on_failure`.",
    {**LEAVES, "parallel": _PARALLEL, "workload": _WORKLOAD},
)
"""A step of a scenario."""

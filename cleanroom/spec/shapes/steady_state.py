"""The shape of `steady_state` (spec.md section 4)."""

from __future__ import annotations

from cleanroom.spec.shapes.distinct import distinct
from cleanroom.spec.shapes.probe import probe
from cleanroom.spec.shapes.record import Key, Record
from cleanroom.spec.shapes.shape import Shape, choice, items
from cleanroom.spec.shapes.value import positive_duration
from cleanroom.spec.steady_state import SteadyState

_DURING = Record(
    place="scenarios[].steady_state.during",
    doc="Asks the probes while the steps run, too.",
    keys={"interval": Key(positive_duration, "The pause between two rounds.", example="200ms")},
    required=("interval",),
)
_STEADY_STATE = Record(
    place="scenarios[].steady_state",
    doc="What must hold of a system that is well. Broken before the steps, they are not run; broken later, the "
    "scenario fails.",
    keys={
        "probes": Key(
            items(probe, at_least=1), "All of these must hold.", example="[{tcp: {service: db, port: 5432}}]"
        ),
        "when": Key(
            distinct(items(choice("before", "after"), at_least=1), "phase"),
            "Whether they are asked before the first step, after the last one (faults healed), or both.",
            default="[before, after]", example="[after]",
        ),
        "during": Key(
            _DURING.making(lambda interval: interval), "Asks them while the steps run, at this interval.",
            example="{interval: 200ms}",
        ),
    },
    required=("probes",),
)  # fmt: skip
steady_state: Shape[SteadyState] = _STEADY_STATE.into(lambda fields: SteadyState(at=fields.node.at, **fields.values))
"""`{probes: […], when: […], during: {interval: …}}`."""

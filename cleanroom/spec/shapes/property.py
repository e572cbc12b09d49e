"""The shape of `property` (spec.md section 4)."""

from __future__ import annotations

from cleanroom.spec.property import SHRINK_BUDGET, Property
from cleanroom.spec.shapes.action import CLIENTS, step_with
from cleanroom.spec.shapes.generator import generators
from cleanroom.spec.shapes.record import Key, Record
from cleanroom.spec.shapes.shape import Shape, choice, integer
from cleanroom.spec.shapes.value import duration

MOST_EXAMPLES = 100_000
_SHRINK = Record(
    place="scenarios[].property.shrink",
    doc="The search for a smaller example that fails too.",
    keys={"budget": Key(duration, "How long to search; 0 prints the first failing example as it is.", default="60s",
                        example="10s")},
)  # fmt: skip
_ORACLE = step_with(
    "scenarios[].property.oracle",
    "A step that says which result is right: a reference implementation, a query, a command.",
    CLIENTS,
)
_PROPERTY = Record(
    place="scenarios[].property",
    doc="Makes the scenario a property: it runs for many generated examples and must hold for each. The smallest "
    "example that fails is printed and can be replayed.",
    keys={
        "given": Key(
            generators, "What is generated: `{{ example.name }}` in the scenario.",
            example="{amount: {integer: {min: 1, max: 100}}}", errors=("unknown-name",),
        ),
        "examples": Key(integer(1, MOST_EXAMPLES), "How many examples are tried.", default="50", example="200"),
        "isolation": Key(
            choice("scenario", "example"),
            "Whether all examples share the scenario's environment, or each has a fresh one. The fresh ones follow one "
            "another, and each takes the time that the services need to start and to stop. They are judged by how the "
            "steps end, by services that die, attempts to get out, and what is left; `expect` is about the example "
            "that is reported. Not with `environment: suite`.",
            default="scenario", example="example", errors=("contradiction",),
        ),
        "shrink": Key(
            _SHRINK.into(lambda fields: fields.values.get("budget", SHRINK_BUDGET)),
            "How a smaller failing example is looked for.", default="{budget: 60s}", example="{budget: 10s}",
        ),
        "oracle": Key(
            _ORACLE,
            "A reference: the output of the scenario's last step must equal its output, newlines at the end apart.",
            example="{name: reference, exec: {service: db, command: [total]}}", errors=("impossible",),
        ),
    },
    required=("given",),
)  # fmt: skip
generated: Shape[Property] = _PROPERTY.into(lambda fields: Property(at=fields.node.at, **fields.values))
"""`{given: {name: generator}, …}`."""

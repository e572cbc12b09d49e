"""The shape of `workload` (spec.md section 4)."""

from __future__ import annotations

from dataclasses import replace

from cleanroom.spec.shapes.action import CLIENTS, step_with
from cleanroom.spec.shapes.generator import generators
from cleanroom.spec.shapes.record import Key, Record
from cleanroom.spec.shapes.retry import retry
from cleanroom.spec.shapes.shape import boolean, integer, items, name, number
from cleanroom.spec.shapes.value import duration, positive_duration
from cleanroom.spec.step import WorkloadAction
from cleanroom.spec.workload import MOST_WORKERS, Operation, Workload

_STEP = step_with(
    "scenarios[].steps[].workload.mix[].step",
    "What one operation does; its result is the operation's in the journal. The value that counts as acknowledged is "
    "what it captures, else its whole result. The workload fails when operations fail that neither their `allow` nor "
    "an expectation (`resilience`' success_rate, availability or error_budget, `error_classes`) speaks of, when none "
    "succeeds, and when fewer are begun than were asked for.",
    CLIENTS,
    # No operation comes before another one.
    frozenset({"optional", "continue_on_failure"}),
)
_OPERATION = Record(
    place="scenarios[].steps[].workload.mix[]",
    doc="One kind of operation.",
    keys={
        "weight": Key(
            number(0, above=True), "How often it is chosen in proportion to the others.", default="1", example="9"
        ),
        "step": Key(
            _STEP, "What it does, with one of `exec`, `run`, `http`, `sql` and `redis`.",
            example="{name: read, http: {service: api, path: /orders}}",
        ),
    },
    required=("step",),
)  # fmt: skip
_WORKLOAD = Record(
    place="scenarios[].steps[].workload",
    doc="Many operations by many workers, each written into a journal with its intended start, start, end, outcome, "
    "error type and acknowledged value. An operation that times out counts at its limit.",
    keys={
        "workers": Key(integer(1, MOST_WORKERS), "How many work at the same time.", default="1", example="10"),
        "operations": Key(integer(1, 10_000_000), "How many operations there are over all workers.", example="1000"),
        "duration": Key(positive_duration, "How long operations are begun.", example="10s"),
        "rate": Key(
            number(0, above=True),
            "Operations per second over all workers, begun at fixed instants whether or not others have ended (an open "
            "loop); by default a worker begins one when its last has ended.", example="50",
        ),
        "think": Key(
            duration, "A worker's pause between two operations.", default="0", example="10ms", errors=("contradiction",)
        ),
        "barrier": Key(boolean, "Whether all workers begin together, when the last one is ready.", default="false",
                       example="true"),
        "mix": Key(
            items(_OPERATION.making(Operation), at_least=1), "What is done: kinds of operations and their weights.",
            example="[{step: {name: read, http: {service: api, path: /orders}}}]",
            names=frozenset({"worker", "operation"}),
        ),
        "vars": Key(
            generators, "Values drawn for every operation of every worker: `{{ operation.name }}` in the mix.",
            example="{sku: {integer: {min: 1, max: 9}}}", errors=("unknown-name",),
        ),
        "retry": Key(retry, "Tries every operation again that fails.", example="{attempts: 3}",
                     errors=("contradiction",)),
        "journal": Key(
            replace(name, runtime=True),
            "The name under which invariants and `resilience` know the operations; by default the step's own.",
            example="orders", errors=("duplicate-journal",), names=frozenset({"iteration"}),
        ),
    },
    required=("mix",),
    exactly_one=("operations", "duration"),
    at_most_one=(("rate", "think"),),
)  # fmt: skip
workload = _WORKLOAD.making(lambda **values: WorkloadAction(workload=Workload(**values)))
"""`{workers: 10, operations: 1000, mix: […]}`."""

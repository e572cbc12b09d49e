"""The shape of `determinism` (spec.md section 7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cleanroom.spec.determinism import Buckets, Determinism, Normalize, Replacement
from cleanroom.spec.document import Scalar
from cleanroom.spec.shapes.clock import instant
from cleanroom.spec.shapes.distinct import distinct
from cleanroom.spec.shapes.record import Key, Record
from cleanroom.spec.shapes.shape import Shape, boolean, choice, either, free_text, integer, items, regex
from cleanroom.spec.shapes.value import positive_duration, texts

if TYPE_CHECKING:
    from cleanroom.spec.document import Node
    from cleanroom.spec.shapes.place import Place

LARGEST_SEED = 2**63 - 1
NUISANCES = ("start_order", "hostname", "timezone", "locale", "cpus")
_seed_number = integer(0, LARGEST_SEED)


def _seed(node: Node, place: Place) -> int | None:
    if isinstance(node, Scalar) and node.value == "random":
        return None
    if not isinstance(node, Scalar) or not isinstance(node.value, int) or isinstance(node.value, bool):
        raise place.wrong(node, "a whole number, or random")
    return _seed_number(node, place)


seed = Shape(_seed, "a whole number, or random", {"anyOf": [_seed_number, {"const": "random"}]}, example="42")
"""A seed; None stands for `random`."""

_REPLACE = Record(
    place="determinism.normalize.replace[]",
    doc="Text that differs between iterations, and what stands for it.",
    keys={
        "pattern": Key(
            regex, "A regular expression that is searched for in attribute values and in names.",
            example='"order-[0-9]+"',
        ),
        "with": Key(free_text, "What stands for each place that is found.", example="order-N"),
    },
    required=("pattern", "with"),
)  # fmt: skip
_BUCKETS = Record(
    place="determinism.normalize.durations",
    doc="Durations of services' spans that stay in the digest, coarsely. What the runner did is never measured there.",
    keys={"bucket": Key(positive_duration, "The width of the steps in which durations are compared.", example="100ms")},
    required=("bucket",),
)
_NORMALIZE = Record(
    place="determinism.normalize",
    doc="What is taken out of a trace before its digest, besides ids, times and addresses. Judging sees all of it.",
    keys={
        "drop": Key(
            texts, "Globs of the names of attributes that are left out.", default="[]", example='["session.*"]'
        ),
        "drop_spans": Key(
            texts, "Globs of the names of services' spans that are left out, such as those of a retry; what is below "
            "them moves up. Where this leaves no span of a service, nothing was compared: inconclusive.",
            default="[]", example='["retry *"]',
        ),
        "replace": Key(
            items(_REPLACE.making(lambda **values: Replacement(pattern=values["pattern"], replacement=values["with"]))),
            "Text that differs between iterations, and what stands for it.",
            default="[]", example='[{pattern: "order-[0-9]+", with: order-N}]',
        ),
        "siblings": Key(
            choice("unordered", "by_start"),
            "Whether the order in which the children of a span began counts (`by_start`).",
            default="unordered",
        ),
        "keep": Key(
            texts, "Globs of the names of attributes that stay although they are taken out by default.",
            default="[]", example='["thread.*"]',
        ),
        "durations": Key(
            either("drop or {bucket: …}", scalar=choice("drop"), mapping=_BUCKETS.making(Buckets)),
            "Whether durations count: `drop` leaves them out, `{bucket: …}` compares them in steps.",
            default="drop", example="{bucket: 100ms}",
        ),
    },
)  # fmt: skip
_DETERMINISM = Record(
    place="determinism",
    doc="How often the suite runs, and what must be the same each time.",
    keys={
        "iterations": Key(integer(1, 100), "How often the suite runs, each time from scratch.", default="5"),
        "seed": Key(
            seed,
            "What every draw is made from. `random` draws a seed and prints it; without the key it is 42, unless the "
            "caller gives one. Services find it as `CLEANROOM_SEED`.",
        ),
        "identical": Key(
            boolean, "Whether the iterations must have one digest; a difference is a finding.", default="true"
        ),
        "freeze_clock": Key(
            instant, "Sets the clock of every service without a `clock` of its own to this instant."
        ),
        "parallel": Key(
            integer(1, 100), "How many iterations run at once, at most; as many as the machine carries without it.",
            example="2",
        ),
        "normalize": Key(
            _NORMALIZE.making(Normalize), "What is taken out of a trace before its digest.",
            default="{}", example='{drop: ["session.*"]}',
        ),
        "vary": Key(
            distinct(items(choice(*NUISANCES), at_least=1), "nuisance"),
            "Nuisances that must not matter. The first iteration is the control, each later one varies one nuisance: "
            "there are more iterations than nuisances.",
            example="[start_order, timezone]", errors=("contradiction",),
        ),
        "compare": Key(
            distinct(items(choice("trace", "steps", "output"), at_least=1), "part"),
            "What is compared between iterations: the normalised trace; the outcomes of steps with the verdicts; what "
            "steps wrote, under the same rules. The drawn faults always are.",
            default="[trace, steps]", example="[trace, steps, output]",
        ),
    },
)  # fmt: skip


def _determinism(node: Node, place: Place) -> Determinism:
    fields = _DETERMINISM(node, place)
    values: dict[str, Any] = fields.values
    wanted = Determinism(random_seed="seed" in values and values["seed"] is None, at=node.at, **values)
    if "iterations" not in fields.written - values.keys() and len(wanted.vary) >= wanted.iterations:
        count = len(wanted.vary)
        message = f"{place.path}.vary has {count} nuisances for {wanted.iterations} iterations, one of them the control"
        place.log.report("contradiction", fields.node.key_at("vary"), message, expected=f"iterations: {count + 1}")
    return wanted


determinism = Shape(_determinism, "a mapping", _DETERMINISM)
"""How often a suite runs, and what must be the same."""

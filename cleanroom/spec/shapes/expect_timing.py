"""The shapes of `expect.windows`, `order`, `overlap`, `intervals`, `rate` and `concurrency` (spec.md section 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cleanroom.spec.shapes.comparison import comparator
from cleanroom.spec.shapes.expectation import expectation, fault_reference, identity, pair
from cleanroom.spec.shapes.record import Key, Record
from cleanroom.spec.shapes.selector import SELECTOR_KEYS
from cleanroom.spec.shapes.shape import Shape, boolean, choice, integer, items, number
from cleanroom.spec.shapes.value import pattern, positive_duration
from cleanroom.spec.timing import (
    ConcurrencyExpectation,
    IntervalExpectation,
    OrderExpectation,
    OverlapExpectation,
    RateExpectation,
    SpanSelector,
    WindowExpectation,
)

if TYPE_CHECKING:
    from cleanroom.spec.document import Node
    from cleanroom.spec.shapes.expectation import Pair
    from cleanroom.spec.shapes.place import Place

_OF_FAULT = ("unknown-fault", "impossible")
TIME_KEYS: dict[str, Key] = {
    "during": Key(
        fault_reference, "Selects spans that overlap the window of the fault with this id.", example="slow-db",
        errors=_OF_FAULT,
    ),
    "before": Key(
        fault_reference, "Selects spans that had ended when the fault with this id first began.", example="slow-db",
        errors=_OF_FAULT,
    ),
    "after": Key(
        fault_reference, "Selects spans that began when the fault with this id had last ended.", example="slow-db",
        errors=_OF_FAULT,
    ),
}  # fmt: skip
"""Selectors by the windows of faults."""
_SELECTOR = Record(
    place="expect.<timing>[].spans",
    doc="Which spans intervals, rates and concurrency are about; a span must satisfy all selectors.",
    keys={**SELECTOR_KEYS, **TIME_KEYS},
    not_empty=True,
)
_spans = Key(_SELECTOR.making(SpanSelector), "Which spans are meant.", example="{name: retry}")

_WINDOW = Record(
    place="expect.windows[]",
    doc="Spans that happen inside others: every contained span lies inside an outer span of its trace that is not the "
    "span itself. A missing outer or contained span breaks it, and so does one of which the clock ran backwards.",
    keys={
        "outer": Key(pattern, "The name of the outer spans.", example="cleanroom.iteration", errors=("impossible",)),
        "contains": Key(
            items(pattern, at_least=1), "Names of the contained spans; each of them must be there.",
            example="[cleanroom.cleanup]", errors=("impossible",),
        ),
        "strict": Key(boolean, "Whether a span that begins or ends with the outer one is outside.", "false", "true"),
        "max_duration": Key(
            positive_duration, "The longest that an outer span may last; exactly so long is allowed.", example="30s"
        ),
        **identity(),
    },
    required=("outer", "contains"),
)  # fmt: skip
_ORDER = Record(
    place="expect.order[]",
    doc="Spans that happen one after the other: it holds for all pairs in the same group. A missing side breaks it, in "
    "any group that has the other. A span that both names mean is not compared with itself.",
    keys={
        "first": Key(pattern, "The name of the spans that come first.", example="reserve", errors=("contradiction",)),
        "then": Key(pattern, "The name of the spans that come later.", example="pay", errors=("contradiction",)),
        "by": Key(
            choice("start", "end_start"),
            "`start`: the first starts no later than the second. `end_start`: it has ended when the second starts, "
            "or ends just then; one whose clock ran backwards breaks it.",
            default="start", example="end_start",
        ),
        "within": Key(
            choice("iteration", "trace", "step", "parent"),
            "What a group is: all spans of the iteration, those of one trace, of one step, or of one parent. Spans "
            "under no step, or without a parent, are in none and are not compared.",
            default="iteration", example="trace",
        ),
        **identity(),
    },
    required=("first", "then"),
)  # fmt: skip
_INTERVAL = Record(
    place="expect.intervals[]",
    doc="The gaps between the successive starts of all selected spans, e.g. of retries. Fewer than two spans break it.",
    keys={
        "spans": _spans,
        "gap": Key(
            comparator("duration"), "What every gap must be.", example='{approx: {value: 100ms, tolerance: "20%"}}'
        ),
        "factor": Key(
            number(0, above=True),
            "Each gap is divided by this as often as there are gaps before it, and then judged: `2` is a doubling.",
            default="1", example="2",
        ),
        **identity(),
    },
    required=("spans", "gap"),
)  # fmt: skip
_RATE = Record(
    place="expect.rate[]",
    doc="How many spans start in any stretch of time. No selected span breaks it.",
    keys={
        "spans": _spans,
        "window": Key(
            positive_duration,
            "The length of the stretch, which may begin anywhere; two starts just so far apart are not both in it.",
            example="1s",
        ),
        "max": Key(integer(1), "The most spans that may start in it.", example="10"),
        **identity(),
    },
    required=("spans", "window", "max"),
)
_CONCURRENCY = Record(
    place="expect.concurrency[]",
    doc="How many spans run at the same time, each from its start until just before its end. No selected span breaks "
    "it, and so does one of which the clock ran backwards.",
    keys={
        "spans": _spans,
        "max": Key(integer(1), "The most spans that may run at any instant.", example="5"),
        **identity(),
    },
    required=("spans", "max"),
)


def _order(node: Node, place: Place) -> OrderExpectation:
    fields = _ORDER(node, place)
    found = OrderExpectation(at=node.at, **fields.values)
    if found.first == found.then:
        message = f"{place.path} can never hold: no span comes before itself"
        place.log.report("impossible", fields.node.key_at("then"), message)
    return found


def _overlap(found: Pair) -> OverlapExpectation:
    return OverlapExpectation(first=found.first, second=found.second, at=found.at, **found.identity)


TIMING_KEYS: dict[str, Key] = {
    "windows": Key(
        items(expectation(_WINDOW, WindowExpectation), at_least=1), "Spans that happen inside others.",
        example="[{outer: cleanroom.iteration, contains: [cleanroom.cleanup]}]",
    ),
    "order": Key(
        items(Shape(_order, "a mapping", _ORDER), at_least=1), "Spans that happen one after the other.",
        example="[{first: reserve, then: pay}]",
    ),
    "overlap": Key(
        items(pair.then(_overlap), at_least=1),
        "Pairs of span names: some span of the one and some other of the other run at the same time. Spans that only "
        "touch do not, and of one whose clock ran backwards nobody knows.",
        example="[[resize, upload]]",
    ),
    "intervals": Key(
        items(expectation(_INTERVAL, IntervalExpectation), at_least=1), "Gaps between the starts of spans.",
        example="[{spans: {name: retry}, gap: {gte: 100ms}}]",
    ),
    "rate": Key(
        items(expectation(_RATE, RateExpectation), at_least=1), "How many spans start in a stretch of time.",
        example='[{spans: {name: "POST /pay"}, window: 1s, max: 10}]',
    ),
    "concurrency": Key(
        items(expectation(_CONCURRENCY, ConcurrencyExpectation), at_least=1), "How many spans run at the same time.",
        example="[{spans: {name: work}, max: 5}]",
    ),
}  # fmt: skip
"""The keys of `expect` about time."""

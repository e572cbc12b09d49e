"""Whether every positive expectation already holds, so that settling may end early (design section 4)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from threading import Lock

from cleanroom.spec.comparator import allows_zero, at_least_one, judge
from cleanroom.spec.expect import CountExpectation, Expect, Pattern, SpanExpectation
from cleanroom.spec.scenario import Scenario
from cleanroom.spec.selector import Selector
from cleanroom.spec.suite import Suite
from cleanroom.spec.timing import IntervalExpectation, SelectedExpectation, SpanSelector
from cleanroom.telemetry.ports import Payload
from cleanroom.trace.model import Span, Trace
from cleanroom.validate.conditions import Condition, conditions
from cleanroom.validate.counts import figure
from cleanroom.validate.graph import graph_holds_so_far
from cleanroom.validate.intervals import AT_LEAST
from cleanroom.validate.scene import Scene, decode_service_spans
from cleanroom.validate.select import named, select

MAX_ENVIRONMENTS = 64


def holds_so_far(expect: Expect, payloads: Sequence[Payload]) -> bool:
    """Whether every positive expectation of `expect` on service spans holds on what has arrived.

    Positive is what more spans can make true: a count that 0 does not satisfy, an edge, a status of something, a
    parent, an ancestor, `some`. What only the runner's spans or the end of the run can show is not waited for.
    """
    return _holds(expect, decode_service_spans(payloads))


class Settling:
    """The predicate that the pipeline hands to `run`: decodes each payload once, safe to call from several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._decoded: OrderedDict[str, tuple[int, tuple[Span, ...]]] = OrderedDict()

    def __call__(self, suite: Suite, scenario: Scenario, payloads: Sequence[Payload]) -> bool:
        """Whether the scenario's positive expectations hold, and the suite's where it is the suite's only scenario.

        The suite's own `expect` speaks of all scenarios together: while others are to come, one cannot wait for it.
        """
        spans = self._spans(payloads)
        alone = suite.expect if len(suite.scenarios) == 1 else None
        return all(_holds(expect, spans) for expect in (scenario.expect, alone) if expect is not None)

    def selected(self, payloads: Sequence[Payload], selector: Selector) -> int:
        """Return how many of the service spans among `payloads` the selectors of a probe select."""
        wanted = SpanSelector(
            name=selector.name, service=selector.service, kind=selector.kind, scope=selector.scope, where=selector.where
        )
        return len(select(Scene(trace=Trace.of(self._spans(payloads))), wanted).spans)

    def _spans(self, payloads: Sequence[Payload]) -> tuple[Span, ...]:
        """Payloads of an environment only ever grow, so that those seen before need no decoding."""
        if not payloads:
            return ()
        environment = payloads[0].environment
        with self._lock:
            known, spans = self._decoded.pop(environment, (0, ()))
            if known > len(payloads):
                known, spans = 0, ()
            spans = (*spans, *decode_service_spans(payloads[known:]))
            self._decoded[environment] = (len(payloads), spans)
            while len(self._decoded) > MAX_ENVIRONMENTS:
                self._decoded.popitem(last=False)
        return spans


def _holds(expect: Expect, spans: tuple[Span, ...]) -> bool:
    scene = Scene(trace=Trace.of(spans))
    return (
        all(_span_holds(scene, wanted) for wanted in expect.spans)
        and graph_holds_so_far(scene, expect.graph)
        and all(_count_holds(scene, wanted) for wanted in expect.counts)
        and all(_something(scene, wanted.name) for wanted in expect.status)
        and all(_something(scene, pattern) for pattern in _sides(expect))
        and all(_enough(scene, wanted) for wanted in expect.selected)
    )


def _sides(expect: Expect) -> Iterator[Pattern]:
    """Return what must be there for anything to be said of its time; how it stands in time is known at the end only."""
    for window in expect.windows:
        yield from (window.outer, *window.contains)
    for order in expect.order:
        yield from (order.first, order.then)
    for overlap in expect.overlap:
        yield from (overlap.first, overlap.second)


def _enough(scene: Scene, wanted: SelectedExpectation) -> bool:
    if wanted.spans.name is not None and wanted.spans.name.of_runner:
        return True
    timeless = replace(wanted.spans, during="", before="", after="")
    return len(select(scene, timeless).spans) >= (AT_LEAST if isinstance(wanted, IntervalExpectation) else 1)


def _span_holds(scene: Scene, wanted: SpanExpectation) -> bool:
    comparator = wanted.count or at_least_one()
    if (wanted.name is not None and wanted.name.of_runner) or (allows_zero(comparator) and not wanted.some):
        return True
    # Windows are not known before the run has ended: without them more spans are selected, never fewer.
    timeless = replace(wanted, during="", before="", after="")
    selected = select(scene, timeless).spans
    timed = timeless != wanted
    if not (bool(selected) if timed else judge(comparator, len(selected)).holds):
        return False
    if wanted.some:
        stated = [c for c in conditions(scene, timeless) if not _of_runner(c, wanted)]
        return len({id(span) for c in stated for span in c.broken(selected)}) < len(selected)
    # Parents end after their children, and so arrive after them.
    of_services = replace(
        timeless,
        parent=wanted.parent if wanted.parent and not wanted.parent.of_runner else None,
        ancestor=wanted.ancestor if wanted.ancestor and not wanted.ancestor.of_runner else None,
    )
    return not any(
        c.broken(selected)
        for c in conditions(scene, of_services)
        if c.rule in {"spans.parent", "spans.ancestor"}
    )  # fmt: skip


def _of_runner(condition: Condition, wanted: SpanExpectation) -> bool:
    """Whether only the runner's spans can show the condition, and they have not ended yet."""
    if condition.rule == "spans.root":
        return True
    pattern = {"spans.parent": wanted.parent, "spans.ancestor": wanted.ancestor}.get(condition.rule)
    return pattern is not None and pattern.of_runner


def _count_holds(scene: Scene, wanted: CountExpectation) -> bool:
    if wanted.what == "by_name" and Pattern(wanted.key).of_runner:
        return True
    if allows_zero(wanted.comparator):
        # `errors: 0` needs something to be said of; a zero of spans needs nothing.
        return wanted.what not in {"errors", "events"} or bool(scene.service_spans)
    return judge(wanted.comparator, figure(scene, wanted)[0]).holds


def _something(scene: Scene, pattern: Pattern | None) -> bool:
    if pattern is None:
        return bool(scene.service_spans)
    return pattern.of_runner or bool(named(scene, pattern))

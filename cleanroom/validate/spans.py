"""`expect.spans`: how many spans were selected, and what holds of each (spec.md section 6)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable

from cleanroom.spec.comparator import at_least_one, judge
from cleanroom.spec.expect import SpanExpectation
from cleanroom.trace.model import Span
from cleanroom.validate import wording
from cleanroom.validate.conditions import Condition, conditions
from cleanroom.validate.evidence import pins_zero, remedy
from cleanroom.validate.model import Check, Finding
from cleanroom.validate.scene import Scene
from cleanroom.validate.select import Selection, cause, missed, narrowing, near_misses, select
from cleanroom.validate.timing import untimed


def judge_spans(scene: Scene, expectations: Iterable[SpanExpectation]) -> tuple[Check, ...]:
    """Judge every entry of `expect.spans`: a check for its count and one for each condition it states."""
    return tuple(check for expectation in expectations for check in _judge_one(scene, expectation))


def _judge_one(scene: Scene, expectation: SpanExpectation) -> tuple[Check, ...]:
    selection = select(scene, expectation)
    if selection.unusable:
        check = _check(expectation, "spans.count", ())
        return (
            Check(
                rule=check.rule,
                name=check.name,
                at=check.at,
                inconclusive=selection.unusable,
                allowed=selection.allowed,
            ),
        )
    timeless = untimed(scene, expectation, "spans.count", _wanted_count(expectation), selection.untimed)
    if timeless:
        return (_check(expectation, "spans.count", timeless),)
    count = _count(scene, expectation, selection)
    stated = conditions(scene, expectation)
    if not stated or (count.findings and not selection.spans):
        # With nothing selected the count says it all: conditions of nothing would repeat the same cause.
        return (count,)
    if expectation.some:
        return (count, _some(scene, expectation, stated, selection.spans))
    return (count, *(_each(scene, expectation, condition, selection.spans) for condition in stated))


def _wanted_count(expectation: SpanExpectation) -> str:
    return wording.wanted("number of spans", expectation.count or at_least_one())


def _count(scene: Scene, expectation: SpanExpectation, selection: Selection) -> Check:
    comparator = expectation.count or at_least_one()
    number = len(selection.spans)
    # With an empty population only an explicit zero is a statement about it.
    holds = judge(comparator, number).holds and (bool(selection.population) or pins_zero(comparator))
    if holds:
        return _check(expectation, "spans.count", ())
    missing = not selection.of_runner and not scene.service_spans
    groups = missed(scene, expectation, selection)
    finding = Finding(
        rule="spans.count",
        level=expectation.level,
        at=expectation.at,
        expected=_wanted_count(expectation),
        found=f"{wording.plural(number, 'span')}: {narrowing(scene, expectation, selection)}",
        near_misses=near_misses(expectation, groups),
        span_ids=wording.ids(selection.spans),
        remedy=remedy(missing=missing) or cause(scene, expectation, selection, groups),
        telemetry_missing=missing,
    )
    return _check(expectation, "spans.count", (finding,))


def _each(scene: Scene, expectation: SpanExpectation, condition: Condition, spans: tuple[Span, ...]) -> Check:
    broken = condition.broken(spans)
    if not broken:
        return _check(expectation, condition.rule, (), note=condition.silent(spans))
    told = (f"{wording.placed(scene, span)}: {condition.breach(span)}" for span in broken)
    finding = Finding(
        rule=condition.rule,
        level=expectation.level,
        at=expectation.at,
        expected=f"of every selected span {condition.expected}",
        found=f"{len(broken)} of {wording.plural(len(spans), 'span')} break it: {wording.listing(told, len(broken))}",
        span_ids=wording.ids(broken),
        remedy=next(filter(None, (condition.remedy(span) for span in broken[: wording.MAX_EXAMPLES])), ""),
    )
    return _check(expectation, condition.rule, (finding,))


def _some(scene: Scene, expectation: SpanExpectation, stated: tuple[Condition, ...], spans: tuple[Span, ...]) -> Check:
    """One span must meet all conditions at once: two halves on two spans are not what was asked for."""
    if _any_meets(stated, spans):
        return _check(expectation, "spans.some", ())
    number = Counter(id(span) for condition in stated for span in condition.broken(spans))
    nearest = [
        (span, [reason for condition in stated if (reason := condition.breach(span))])
        for span in sorted(spans, key=lambda span: number[id(span)])[: wording.MAX_EXAMPLES]
    ]
    remedies = (condition.remedy(span) for span, _ in nearest for condition in stated if condition.breach(span))
    finding = Finding(
        rule="spans.some",
        level=expectation.level,
        at=expectation.at,
        expected="at least one selected span with " + "; ".join(c.expected for c in stated),
        found=f"none of {wording.plural(len(spans), 'selected span')} meets all of it",
        near_misses=tuple(f"{wording.placed(scene, span)}: {', '.join(reasons)}" for span, reasons in nearest),
        span_ids=wording.ids(spans),
        remedy=next(filter(None, remedies), ""),
    )
    return _check(expectation, "spans.some", (finding,))


def _any_meets(stated: tuple[Condition, ...], spans: Collection[Span]) -> bool:
    """Whether a span meets all conditions; each is asked of those that meet the ones before it."""
    *others, last = stated
    for condition in others:
        broken = set(map(id, condition.broken(spans)))
        spans = [span for span in spans if id(span) not in broken] if broken else spans
    return len(last.broken(spans)) < len(spans)


def _check(expectation: SpanExpectation, rule: str, findings: tuple[Finding, ...], note: str = "") -> Check:
    subject = expectation.id or wording.selectors(expectation)
    name = f"spans {subject} {rule.removeprefix('spans.')}"
    return Check(rule=rule, name=name, at=expectation.at, findings=findings, note=note)

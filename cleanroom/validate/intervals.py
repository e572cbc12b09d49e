"""`expect.intervals`: the gaps between the successive starts of spans (spec.md section 6)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from itertools import pairwise

from cleanroom.quantity import Duration
from cleanroom.spec.comparator import describe, judge
from cleanroom.spec.timing import IntervalExpectation
from cleanroom.validate import wording
from cleanroom.validate.model import Check
from cleanroom.validate.scene import Scene
from cleanroom.validate.timing import broken, check, examples, lapse, selected, subject

AT_LEAST = 2
_EXACT = Context(prec=80)
_NOISE = Decimal("1e-30")  # far below a nanosecond, far above what 80 digits lose in a million divisions
_FAR = Decimal("1e40")  # a gap of 64 bits divided or multiplied by it is beyond every duration


def judge_intervals(scene: Scene, expectations: Iterable[IntervalExpectation]) -> tuple[Check, ...]:
    """Judge every entry of `intervals`; fewer than two spans have no gap, and break it."""
    return tuple(_judge_one(scene, wanted) for wanted in expectations)


def _judge_one(scene: Scene, wanted: IntervalExpectation) -> Check:
    words = f"intervals of {subject(wanted)}"
    grown = f", divided by {wanted.factor:g} for each gap before it," if wanted.factor != 1 else ""
    expected = f"every gap between successive starts{grown} {describe(wanted.gap)}"
    selection = selected(scene, wanted, "intervals", words, expected, AT_LEAST)
    if isinstance(selection, Check):
        return selection
    spans = selection.spans
    gaps = [later.start_ns - earlier.start_ns for earlier, later in pairwise(spans)]
    reasons = {
        number: reason
        for number, (gap, power) in enumerate(zip(gaps, _powers(wanted.factor), strict=False))
        if (reason := _breach(wanted, gap, power))
    }
    if not reasons:
        return check(wanted, "intervals", words)
    found = f"{len(reasons)} of {wording.plural(len(gaps), 'gap')} break it: " + examples(
        f"gap {number + 1}, of {lapse(gaps[number])}, before {wording.placed(scene, spans[number + 1])}: {reason}"
        for number, reason in reasons.items()
    )
    ends = dict.fromkeys(place for number in reasons for place in (number, number + 1))
    return check(
        wanted, "intervals", words, broken(wanted, "intervals", expected, found, (spans[place] for place in ends))
    )


def _powers(factor: float) -> Iterator[Decimal]:
    """Return 1, factor, factor², …: as the factor is written in decimal, so that 1.1 is 1.1."""
    base, power = Decimal(str(factor)), Decimal(1)
    while True:
        yield power
        if 1 / _FAR < power < _FAR:
            power = _EXACT.multiply(power, base)


def _breach(wanted: IntervalExpectation, gap: int, power: Decimal) -> str:
    """Return why the gap breaks it; one between two nanoseconds must hold as both of them, so that none is forgiven."""
    exact = _EXACT.divide(Decimal(gap), power)
    nearest = exact.to_integral_value(context=_EXACT)
    if abs(exact - nearest) < _NOISE:
        bounds = {int(nearest)}
    else:
        bounds = {int(exact.to_integral_value(rounding)) for rounding in (ROUND_FLOOR, ROUND_CEILING)}
    judged = (judge(wanted.gap, Duration(ns)) for ns in sorted(bounds))
    return next((judgement.reason for judgement in judged if not judgement.holds), "")

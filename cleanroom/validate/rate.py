"""`expect.rate`: no stretch of time has more than so many starts (spec.md section 6).

A stretch has its beginning and not its end: two spans that start just `window` apart are in no stretch together.
"""

from __future__ import annotations

from collections.abc import Iterable

from cleanroom.spec.timing import RateExpectation
from cleanroom.validate import wording
from cleanroom.validate.model import Check
from cleanroom.validate.scene import Scene
from cleanroom.validate.timing import broken, check, lapse, selected, subject


def judge_rate(scene: Scene, expectations: Iterable[RateExpectation]) -> tuple[Check, ...]:
    """Judge every entry of `rate`; the rate of no span at all breaks."""
    return tuple(_judge_one(scene, wanted) for wanted in expectations)


def _judge_one(scene: Scene, wanted: RateExpectation) -> Check:
    words = f"rate of {subject(wanted)} in {lapse(wanted.window.ns)}"
    expected = f"at most {wording.plural(wanted.max, 'start')} in any {lapse(wanted.window.ns)}"
    selection = selected(scene, wanted, "rate", words, expected)
    if isinstance(selection, Check):
        return selection
    spans = selection.spans
    begin, most, over = 0, 0, 0
    earliest = 0
    for latest, span in enumerate(spans):
        while span.start_ns - spans[earliest].start_ns >= wanted.window.ns:
            earliest += 1
        number = latest - earliest + 1
        over += number > wanted.max
        if number > most:
            begin, most = earliest, number
    if most <= wanted.max:
        return check(wanted, "rate", words)
    crowd = spans[begin : begin + most]
    taken = lapse(crowd[-1].start_ns - crowd[0].start_ns)
    found = (
        f"{most} within {taken}, from {wording.placed(scene, crowd[0])} to {wording.label(crowd[-1])}; "
        f"{over} of {wording.plural(len(spans), 'span')} start when there were {wanted.max} before in that time"
    )
    return check(wanted, "rate", words, broken(wanted, "rate", expected, found, crowd))

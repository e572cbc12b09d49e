"""`expect.concurrency`: at no instant more than so many of the spans run (spec.md section 6).

A span runs from its start until its end, and no longer at its end; one that ends as it starts runs for that instant.
"""

from __future__ import annotations

from collections.abc import Iterable

from cleanroom.spec.timing import ConcurrencyExpectation
from cleanroom.trace.model import Span
from cleanroom.validate import wording
from cleanroom.validate.model import Check
from cleanroom.validate.scene import Scene
from cleanroom.validate.timing import BACKWARDS, broken, check, examples, ran_backwards, selected, subject


def judge_concurrency(scene: Scene, expectations: Iterable[ConcurrencyExpectation]) -> tuple[Check, ...]:
    """Judge every entry of `concurrency`; that of no span at all, or of spans without a known end, breaks."""
    return tuple(_judge_one(scene, wanted) for wanted in expectations)


def _judge_one(scene: Scene, wanted: ConcurrencyExpectation) -> Check:
    words = f"concurrency of {subject(wanted)}"
    expected = f"at most {wording.plural(wanted.max, 'span')} at any instant"
    selection = selected(scene, wanted, "concurrency", words, expected)
    if isinstance(selection, Check):
        return selection
    backwards = tuple(span for span in selection.spans if ran_backwards(span))
    if backwards:
        which = examples(wording.placed(scene, span) for span in backwards)
        number = f"{len(backwards)} of {wording.plural(len(selection.spans), 'span')}"
        found = f"{number} cannot be counted: {which}: {BACKWARDS}"
        return check(wanted, "concurrency", words, broken(wanted, "concurrency", expected, found, backwards))
    most, instant = _peak(selection.spans)
    if most <= wanted.max:
        return check(wanted, "concurrency", words)
    running = tuple(span for span in selection.spans if span.start_ns <= instant < _until(span))
    which = examples(wording.placed(scene, span) for span in running)
    found = f"{most} at once, when {wording.label(running[-1])} starts: {which}"
    return check(wanted, "concurrency", words, broken(wanted, "concurrency", expected, found, running))


def _until(span: Span) -> int:
    """Return the first nanosecond in which the span no longer runs."""
    return max(span.end_ns, span.start_ns + 1)


def _peak(spans: tuple[Span, ...]) -> tuple[int, int]:
    """Return how many of the spans, which are in order of start, run at most, and the first instant with so many."""
    ends = sorted(_until(span) for span in spans)
    most, instant, ended = 0, 0, 0
    for started, span in enumerate(spans, start=1):
        while ends[ended] <= span.start_ns:
            ended += 1
        if started - ended > most:
            most, instant = started - ended, span.start_ns
    return most, instant

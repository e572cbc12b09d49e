"""`expect.overlap`: some span of the one and some of the other run at the same time (spec.md section 6).

Two spans overlap when neither has ended before the other starts: the contrary of `order` by `end_start`, both ways.
Spans that only touch do not overlap.
"""

from __future__ import annotations

from collections.abc import Iterable

from cleanroom.spec.timing import OverlapExpectation
from cleanroom.trace.model import Span
from cleanroom.validate import wording
from cleanroom.validate.model import Check
from cleanroom.validate.scene import Scene
from cleanroom.validate.select import named
from cleanroom.validate.timing import BACKWARDS, absent, broken, check, examples, lapse, ran_backwards, untimed


def judge_overlap(scene: Scene, expectations: Iterable[OverlapExpectation]) -> tuple[Check, ...]:
    """Judge every pair of `overlap`."""
    return tuple(_judge_one(scene, wanted) for wanted in expectations)


def _judge_one(scene: Scene, wanted: OverlapExpectation) -> Check:
    words = f'overlap "{wanted.first}" and "{wanted.second}"'
    expected = f'some "{wanted.first}" and some "{wanted.second}" run at the same time'
    missing = absent(scene, wanted, "overlap", expected, (wanted.first, wanted.second)) or untimed(
        scene, wanted, "overlap", expected, (*named(scene, wanted.first), *named(scene, wanted.second))
    )
    if missing:
        return check(wanted, "overlap", words, *missing)
    firsts, seconds = named(scene, wanted.first), named(scene, wanted.second)
    nearest = _nearest(firsts, seconds)
    if nearest is not None and nearest[0] < 0:
        return check(wanted, "overlap", words)
    sides = ((firsts, wanted.first), (seconds, wanted.second))
    numbers = ", ".join(f'{wording.plural(len(spans), "span")} "{pattern}"' for spans, pattern in sides)
    every = {id(span): span for span in (*firsts, *seconds)}
    backwards = tuple(span for span in every.values() if ran_backwards(span))
    parts = [f"{numbers}, and none of the one runs while one of the other does"]
    if nearest is not None:
        gap, earlier, later = nearest
        when = f"starts {lapse(gap)} after" if gap else "starts just when"
        parts.append(f"nearest: {wording.placed(scene, later)} {when} {wording.placed(scene, earlier)} has ended")
    elif not backwards:
        parts.append(f"both names mean {wording.placed(scene, firsts[0])}, and no span overlaps itself")
    if backwards:
        parts.append(f"{examples(wording.placed(scene, span) for span in backwards)}: {BACKWARDS}")
    spans = (*nearest[1:], *backwards) if nearest is not None else every.values()
    return check(wanted, "overlap", words, broken(wanted, "overlap", expected, "; ".join(parts), spans))


def _nearest(firsts: Iterable[Span], seconds: Iterable[Span]) -> tuple[int, Span, Span] | None:
    """Return by how much the two spans that come nearest miss each other (below 0: they overlap), and the two.

    None: there are no two different spans with a known end.
    """
    sides: dict[int, tuple[Span, list[int]]] = {}
    for side, spans in enumerate((firsts, seconds)):
        for span in spans:
            if not ran_backwards(span):
                sides.setdefault(id(span), (span, []))[1].append(side)
    nearest: tuple[int, Span, Span] | None = None
    last: list[Span | None] = [None, None]  # of each side, among those that have started, the one that ends last
    # Of spans that start together those of no length come first: such a one lies inside none that starts just then.
    for span, own in sorted(sides.values(), key=lambda item: (item[0].start_ns, item[0].end_ns > item[0].start_ns)):
        for side in own:
            earlier = last[1 - side]
            if earlier is not None and (nearest is None or span.start_ns - earlier.end_ns < nearest[0]):
                nearest = (span.start_ns - earlier.end_ns, earlier, span)
        for side in own:
            known = last[side]
            if known is None or span.end_ns > known.end_ns:
                last[side] = span
    return nearest

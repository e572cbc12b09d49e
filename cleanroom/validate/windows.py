"""`expect.windows`: every contained span lies inside an outer span of its trace (spec.md section 6)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cleanroom.spec.pattern import Pattern
from cleanroom.spec.timing import WindowExpectation
from cleanroom.trace.model import Span
from cleanroom.validate import wording
from cleanroom.validate.model import Check, Finding
from cleanroom.validate.scene import Scene
from cleanroom.validate.select import named
from cleanroom.validate.timing import BACKWARDS, absent, broken, check, examples, lapse, ran_backwards, untimed


@dataclass(slots=True)
class _Cover:
    """The outer spans of one trace in order of start, and up to each of them the two that end last."""

    outers: list[Span] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    last: list[tuple[Span, Span | None]] = field(default_factory=list)

    def add(self, outer: Span) -> None:
        """Add an outer span that starts no earlier than those before it."""
        best, second = self.last[-1] if self.last else (outer, None)
        if self.last:
            if outer.end_ns > best.end_ns:
                best, second = outer, best
            elif second is None or outer.end_ns > second.end_ns:
                second = outer
        self.outers.append(outer)
        self.starts.append(outer.start_ns)
        self.last.append((best, second))

    def holds(self, span: Span, *, strict: bool) -> bool:
        """Whether some outer span other than `span` itself contains it."""
        number = (bisect_left if strict else bisect_right)(self.starts, span.start_ns)
        if not number:
            return False
        best, second = self.last[number - 1]
        # Of two outer spans that began in time the one that ends later contains more; a span is not inside itself.
        outer = second if best is span else best
        if outer is None:
            return False
        return span.end_ns < outer.end_ns if strict else span.end_ns <= outer.end_ns


def judge_windows(scene: Scene, expectations: Iterable[WindowExpectation]) -> tuple[Check, ...]:
    """Judge every window: a check for each contained pattern, and one for how long the outer spans last."""
    return tuple(found for wanted in expectations for found in _judge_one(scene, wanted))


def _judge_one(scene: Scene, wanted: WindowExpectation) -> tuple[Check, ...]:
    covers: dict[str, _Cover] = {}
    for outer in named(scene, wanted.outer):
        covers.setdefault(outer.trace_id, _Cover()).add(outer)
    checks = [_contained(scene, wanted, covers, inner) for inner in wanted.contains]
    return (*checks, *_longest(scene, wanted))


def _contained(scene: Scene, wanted: WindowExpectation, covers: Mapping[str, _Cover], pattern: Pattern) -> Check:
    rule = "windows.contains"
    strictly = "strictly " if wanted.strict else ""
    expected = f'every span "{pattern}" {strictly}inside a span "{wanted.outer}" of its trace'
    words = f'windows "{pattern}" {strictly}in "{wanted.outer}"'
    inner = named(scene, pattern)
    found = absent(scene, wanted, rule, expected, (wanted.outer, pattern)) or untimed(
        scene, wanted, rule, expected, (*named(scene, wanted.outer), *inner)
    )
    if not found:
        nothing = _Cover()
        outside = tuple(
            span
            for span in inner
            if ran_backwards(span) or not covers.get(span.trace_id, nothing).holds(span, strict=wanted.strict)
        )
        if outside:
            told = f"{len(outside)} of {wording.plural(len(inner), 'span')} outside: " + examples(
                f"{wording.placed(scene, span)} {_why(wanted, covers.get(span.trace_id, nothing), span)}"
                for span in outside
            )
            found = (broken(wanted, rule, expected, told, outside),)
    return check(wanted, rule, words, *found, part=f' "{pattern}"')


def _why(wanted: WindowExpectation, cover: _Cover, span: Span) -> str:
    """Say what keeps the span from lying inside the outer span that comes nearest."""
    others = [outer for outer in cover.outers if outer is not span]
    if ran_backwards(span):
        return f"is nowhere: {BACKWARDS}"
    if not others:
        return f'has no "{wanted.outer}" in its trace {span.trace_id}'

    def beyond(outer: Span) -> tuple[bool, int]:
        early, late = outer.start_ns - span.start_ns, span.end_ns - outer.end_ns
        return ran_backwards(outer), max(0, early) + max(0, late)

    nearest = min(others, key=beyond)
    if ran_backwards(nearest):
        return f"is not inside {wording.label(nearest)}: {BACKWARDS}"
    early, late = nearest.start_ns - span.start_ns, span.end_ns - nearest.end_ns
    told = []
    if early > 0 or (wanted.strict and not early):
        told.append(f"starts {lapse(early)} before" if early else "starts together with")
    if late > 0 or (wanted.strict and not late):
        told.append(f"ends {lapse(late)} after" if late else "ends together with")
    return f"{' and '.join(told)} {wording.label(nearest)}"


def _longest(scene: Scene, wanted: WindowExpectation) -> tuple[Check, ...]:
    if wanted.max_duration is None:
        return ()
    rule, limit = "windows.max_duration", wanted.max_duration.ns
    expected = f'no span "{wanted.outer}" lasts longer than {lapse(limit)}'
    found: tuple[Finding, ...] = absent(scene, wanted, rule, expected, (wanted.outer,))
    outers = named(scene, wanted.outer)
    found = found or untimed(scene, wanted, rule, expected, outers)
    longer = tuple(span for span in outers if ran_backwards(span) or span.duration_ns > limit)
    if longer and not found:
        told = f"{len(longer)} of {wording.plural(len(outers), 'span')} break it: " + examples(
            wording.placed(scene, span)
            + (f": {BACKWARDS}" if ran_backwards(span) else f": it lasted {lapse(span.duration_ns)}")
            for span in longer
        )
        found = (broken(wanted, rule, expected, told, longer),)
    return (check(wanted, rule, f'windows duration of "{wanted.outer}"', *found),)

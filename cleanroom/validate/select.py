"""Which spans an expectation speaks of, and which came near (spec.md section 6, "Population" and "selectors").

Name, service, kind and scope are asked of shapes (see index.py), all other selectors of single spans.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from fnmatch import fnmatchcase
from itertools import filterfalse, islice
from typing import TypeAlias

from cleanroom.spec.comparator import Comparator, describe
from cleanroom.spec.expect import Pattern, SpanExpectation
from cleanroom.spec.timing import SpanSelector
from cleanroom.trace.model import Origin, Span
from cleanroom.validate.index import Shape, SpanIndex, matcher
from cleanroom.validate.judged import Judged
from cleanroom.validate.occurrence import FaultState, Window
from cleanroom.validate.scene import Scene
from cleanroom.validate.wording import MAX_EXAMPLES, plural

MAX_COMPARED = 200
Selecting: TypeAlias = SpanExpectation | SpanSelector


@dataclass(frozen=True, slots=True)
class ShapeSelector:
    """A selector in words, and which shapes of spans it keeps."""

    words: str
    keeps: Callable[[Shape], bool]


@dataclass(frozen=True, slots=True)
class Selector:
    """A selector in words, and which single spans it keeps."""

    words: str
    keeps: Callable[[Span], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What an expectation selected; `unusable` says why its fault's time is not known, and then nothing is selected."""

    spans: tuple[Span, ...] = ()
    population: tuple[Span, ...] = ()
    of_runner: bool = False
    unusable: str = ""
    allowed: str = ""
    untimed: tuple[Span, ...] = ()
    """Spans that all else selects, and of which it cannot be said where they stand to a fault's time."""


@dataclass(frozen=True, slots=True)
class _Miss:
    """Spans of one shape that the same selectors lost."""

    shape: Shape
    lost_by: tuple[str, ...]

    @property
    def rank(self) -> tuple[int, Shape, tuple[str, ...]]:
        return (len(self.lost_by), self.shape, self.lost_by)


Missed: TypeAlias = Mapping[_Miss, int]
"""Groups of spans that were not selected, each with its number."""


def matches(pattern: Pattern, text: str) -> bool:
    """Whether `pattern` names `text`: a glob (case counts), its exact text, or a regular expression found in it."""
    if pattern.regex:
        return re.search(pattern.text, text) is not None
    return text == pattern.text or fnmatchcase(text, pattern.text)


def names(pattern: Pattern, span: Span) -> bool:
    """Whether `pattern` names `span`, population included: `cleanroom.…` is the runner's, all else the services'."""
    return (span.origin is Origin.RUNNER) == pattern.of_runner and matches(pattern, span.name)


def named(scene: Scene, pattern: Pattern) -> tuple[Span, ...]:
    """Return the spans that `pattern` names, in order of start."""
    index = scene.of_runner if pattern.of_runner else scene.of_services
    return index.of(index.shapes(pattern))


def select(scene: Scene, expectation: Selecting) -> Selection:
    """Return the spans that meet every selector of `expectation`."""
    index = _index(scene, expectation)
    of_runner = index is scene.of_runner
    for fault_id in (expectation.during, expectation.before, expectation.after):
        state = scene.faults.get(fault_id, FaultState(unusable=f"no fault {fault_id} was planned"))
        if fault_id and state.unusable:
            return Selection(
                population=index.spans, of_runner=of_runner, unusable=state.unusable, allowed=state.allowed
            )
    shaped = shape_selectors(expectation)
    shapes = [
        shape
        for shape in index.shapes(expectation.name, expectation.service)
        if all(selector.keeps(shape) for selector in shaped)
    ]
    spans = index.of(shapes)
    for key, comparator in sorted(expectation.where.items()):
        spans = tuple(Judged(key, comparator).divided(spans)[0])
    in_time = _in_time(scene, expectation)
    untimed = tuple(span for span in spans if span.untimed) if in_time else ()
    for selector in in_time:
        spans = tuple(filter(selector.keeps, spans))
    return Selection(spans=spans, population=index.spans, of_runner=of_runner, untimed=untimed)


def shape_selectors(expectation: Selecting) -> tuple[ShapeSelector, ...]:
    """Return the selectors that hold of all spans of a shape or of none; the population is not one of them."""
    found: list[ShapeSelector] = []
    name, service, kind, scope = expectation.name, expectation.service, expectation.kind, expectation.scope
    if name is not None:
        of_name = matcher(name)
        found.append(ShapeSelector(f"name {name}", lambda s: of_name(s.name)))
    if service is not None:
        of_service = matcher(service)
        found.append(ShapeSelector(f"service {service}", lambda s: of_service(s.service)))
    if kind is not None:
        found.append(ShapeSelector(f"kind {kind}", lambda s: s.kind == kind.lower()))
    if scope is not None:
        of_scope = matcher(scope)
        found.append(ShapeSelector(f"scope {scope}", lambda s: of_scope(s.scope)))
    return tuple(found)


def selectors(scene: Scene, expectation: Selecting) -> tuple[Selector, ...]:
    """Return the selectors that tell spans of one shape apart, in the order of the spec language."""
    return (*_by_attribute(expectation), *_in_time(scene, expectation))


def _by_attribute(expectation: Selecting) -> tuple[Selector, ...]:
    return tuple(
        Selector(f"where {key} {describe(comparator)}", _where(key, comparator))
        for key, comparator in sorted(expectation.where.items())
    )


def _index(scene: Scene, expectation: Selecting) -> SpanIndex:
    of_runner = expectation.name is not None and expectation.name.of_runner
    return scene.of_runner if of_runner else scene.of_services


def _where(key: str, comparator: Comparator) -> Callable[[Span], bool]:
    holds = Judged(key, comparator).holds
    return lambda span: holds(span.attributes)


def _in_time(scene: Scene, expectation: Selecting) -> tuple[Selector, ...]:
    """`during`: overlaps a window; `before`: ended when the first began; `after`: began when the last had ended."""

    def windows(fault_id: str) -> tuple[Window, ...]:
        return scene.faults.get(fault_id, FaultState()).windows

    found: list[Selector] = []
    if expectation.during:
        during = windows(expectation.during)
        found.append(Selector(f"during {expectation.during}", lambda s: any(_overlaps(s, w) for w in during)))
    if expectation.before:
        first = min((w[0] for w in windows(expectation.before)), default=0)
        found.append(Selector(f"before {expectation.before}", lambda s: s.end_ns <= first))
    if expectation.after:
        ends = [w[1] for w in windows(expectation.after)]
        last = max(ends) if ends and all(ends) else None
        found.append(Selector(f"after {expectation.after}", lambda s: last is not None and s.start_ns >= last))
    return tuple(found)


def _overlaps(span: Span, window: Window) -> bool:
    start, end = window
    return span.end_ns >= start and (end == 0 or span.start_ns <= end)


def narrowing(scene: Scene, expectation: Selecting, selection: Selection) -> str:
    """Return how the selectors narrowed the population: `of 12 service spans, name GET* kept 3, service api kept 0`."""
    whose = "runner span" if selection.of_runner else "service span"
    index = _index(scene, expectation)
    if not index.spans:
        return f"{plural(0, whose)} arrived"
    steps = []
    # The name is looked up, which is what makes the rest few.
    shapes = index.shapes(expectation.name)
    for shaped in shape_selectors(expectation):
        shapes = [shape for shape in shapes if shaped.keeps(shape)]
        steps.append(f"{shaped.words} kept {index.number(shapes)}")
    left = index.of(shapes)
    for selector in selectors(scene, expectation):
        left = tuple(filter(selector.keeps, left))
        steps.append(f"{selector.words} kept {len(left)}")
    return f"of {plural(len(index.spans), whose)}, " + (", ".join(steps) or "all were kept")


def near_misses(expectation: Selecting, groups: Missed) -> tuple[str, ...]:
    """Return the (at most three) groups of spans that came nearest, each with the selectors that lost it."""
    text = expectation.name.text if expectation.name else ""
    # Likeness is costly, so it ranks only the candidates that fewest selectors lost.
    fewest = sorted(groups, key=lambda miss: miss.rank)[:MAX_COMPARED]
    likeness = {name: _likeness(text, name) for name in {miss.shape.name for miss in fewest}}
    ranked = sorted(fewest, key=lambda miss: (len(miss.lost_by), -likeness[miss.shape.name], miss.rank))
    return tuple(
        f'{plural(groups[miss], "span")} "{miss.shape.name}" (service {miss.shape.service or "unknown"}, '
        f"{miss.shape.kind}): lost by {', '.join(miss.lost_by)}"
        for miss in ranked[:MAX_EXAMPLES]
    )


def _likeness(text: str, name: str) -> float:
    return SequenceMatcher(None, text, name[:MAX_COMPARED], autojunk=False).ratio()


def missed(scene: Scene, expectation: Selecting, selection: Selection) -> Missed:
    """Return how many spans each set of selectors lost of each shape: the nearest for certain, not the farthest.

    A shape that more of its own selectors lost cannot come nearer than one that fewer lost, so single spans are asked
    only until there are enough; and of those that the same selectors lost, the first by name are told.
    """
    index = _index(scene, expectation)
    single = selectors(scene, expectation)
    kept = {id(span) for span in selection.spans}
    found: dict[_Miss, int] = {}

    def add(shape: Shape, lost_by: tuple[str, ...], number: int) -> None:
        # The scope is not told, so it makes no difference.
        miss = _Miss(shape._replace(scope=""), lost_by)
        found[miss] = found.get(miss, 0) + number

    for number, groups in sorted(_lost_shapes(index, expectation).items()):
        if sum(len(miss.lost_by) < number for miss in found) >= MAX_COMPARED:
            break
        for lost_by, shapes in groups:
            if not single:
                for shape in islice(shapes, MAX_COMPARED) if lost_by else ():
                    add(shape, lost_by, len(index.places[shape]))
                continue
            for shape in shapes:
                spans = [span for place in index.places[shape] if id(span := index.spans[place]) not in kept]
                ways = Counter(tuple([s.words for s in single if not s.keeps(span)]) for span in spans)
                for way, number_of in ways.items():
                    add(shape, (*lost_by, *way), number_of)
    return found


def _lost_shapes(index: SpanIndex, expectation: Selecting) -> dict[int, list[tuple[tuple[str, ...], Iterator[Shape]]]]:
    """Return, by their number, the selectors of shapes that lost some, and these shapes, each group by name."""
    shaped = shape_selectors(replace(expectation, name=None))
    named = index.named(expectation.name) if expectation.name is not None else None
    of_name = f"name {expectation.name}"
    found: dict[int, list[tuple[tuple[str, ...], Iterator[Shape]]]] = {}
    for family, names in index.families.items():
        lost_by = tuple(selector.words for selector in shaped if not selector.keeps(Shape("", *family)))
        parts: list[tuple[tuple[str, ...], Iterable[str]]] = [(lost_by, names)]
        if named is not None:
            parts = [
                (lost_by, filter(named.__contains__, names) if named else ()),
                ((of_name, *lost_by), filterfalse(named.__contains__, names) if named else names),
            ]
        for words, of_family in parts:
            found.setdefault(len(words), []).append((words, _of_family(family, of_family)))
    return found


def _of_family(family: tuple[str, str, str], names: Iterable[str]) -> Iterator[Shape]:
    return (Shape(name, *family) for name in names)


def cause(scene: Scene, expectation: Selecting, selection: Selection, groups: Missed) -> str:
    """Return what to do where it is known why nothing was selected; otherwise nothing."""
    if selection.spans:
        return ""
    name = expectation.name
    of_name = f"name {name}"
    alone = {miss.lost_by[0] for miss in groups if len(miss.lost_by) == 1} - {of_name}
    if len(alone) == 1:
        return f"`{min(alone)}` alone lost what all else selects: correct it, or take it out"
    return _other_name(scene, name) if name is not None and not alone else ""


def _other_name(scene: Scene, name: Pattern) -> str:
    """Return which names the pattern misses by the case of a letter, or by looking among the other population."""
    if name.regex:
        if scene.of_runner.shapes(name):
            return "a regular expression selects service spans only: name the runner's own by a glob `cleanroom.…`"
        return ""
    folded = Pattern(name.text.casefold())
    names = scene.of_services.folded
    texts = (folded.text,) if folded.is_literal else filter(matcher(folded), names)
    like = min((names[text] for text in texts if text in names), default="")
    return f'case counts: there is "{like}"' if like else ""

"""Which spans an expectation speaks of, and which came near (spec.md section 6, "Population" and "selectors")."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import SequenceMatcher
from fnmatch import fnmatchcase
from functools import partial

from cleanroom.spec.comparator import Comparator, describe, judge
from cleanroom.spec.expect import Pattern, SpanExpectation
from cleanroom.trace.model import Origin, Span
from cleanroom.validate.occurrence import FaultState, Window
from cleanroom.validate.scene import Scene
from cleanroom.validate.wording import MAX_EXAMPLES, plural

MAX_COMPARED = 200


@dataclass(frozen=True, slots=True)
class Selector:
    """One selector in words, and which spans it keeps."""

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
    population = scene.runner_spans if pattern.of_runner else scene.service_spans
    return tuple(span for span in population if matches(pattern, span.name))


def select(scene: Scene, expectation: SpanExpectation) -> Selection:
    """Return the spans that meet every selector of `expectation`."""
    of_runner = expectation.name is not None and expectation.name.of_runner
    population = scene.runner_spans if of_runner else scene.service_spans
    for fault_id in (expectation.during, expectation.before, expectation.after):
        state = scene.faults.get(fault_id, FaultState(unusable=f"no fault {fault_id} was planned"))
        if fault_id and state.unusable:
            return Selection(population=population, of_runner=of_runner, unusable=state.unusable, allowed=state.allowed)
    wanted = selectors(scene, expectation)
    spans = tuple(span for span in population if all(s.keeps(span) for s in wanted))
    return Selection(spans=spans, population=population, of_runner=of_runner)


def selectors(scene: Scene, expectation: SpanExpectation) -> tuple[Selector, ...]:
    """Return the selectors of `expectation` in the order of the spec language; the population is not one of them."""
    found: list[Selector] = []
    name, service, kind, scope = expectation.name, expectation.service, expectation.kind, expectation.scope
    if name is not None:
        found.append(Selector(f"name {name}", lambda s: matches(name, s.name)))
    if service is not None:
        found.append(Selector(f"service {service}", lambda s: matches(service, s.service)))
    if kind is not None:
        found.append(Selector(f"kind {kind}", lambda s: s.kind.value == kind.lower()))
    if scope is not None:
        found.append(Selector(f"scope {scope}", lambda s: matches(scope, s.scope.name)))
    for key, comparator in sorted(expectation.where.items()):
        found.append(Selector(f"where {key} {describe(comparator)}", partial(_where, key, comparator)))
    return (*found, *_in_time(scene, expectation))


def _where(key: str, comparator: Comparator, span: Span) -> bool:
    return judge(comparator, span.attributes.get(key), present=key in span.attributes).holds


def _in_time(scene: Scene, expectation: SpanExpectation) -> tuple[Selector, ...]:
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


def narrowing(scene: Scene, expectation: SpanExpectation, selection: Selection) -> str:
    """Return how the selectors narrowed the population: `of 12 service spans, name GET* kept 3, service api kept 0`."""
    whose = "runner span" if selection.of_runner else "service span"
    left = selection.population
    if not left:
        return f"{plural(0, whose)} arrived"
    steps = []
    for selector in selectors(scene, expectation):
        left = tuple(span for span in left if selector.keeps(span))
        steps.append(f"{selector.words} kept {len(left)}")
    return f"of {plural(len(selection.population), whose)}, " + (", ".join(steps) or "all were kept")


def near_misses(scene: Scene, expectation: SpanExpectation, selection: Selection) -> tuple[str, ...]:
    """Return the (at most three) spans that came nearest, each with the selectors that lost it."""
    wanted = selectors(scene, expectation)
    text = expectation.name.text if expectation.name else ""
    kept = {id(span) for span in selection.spans}
    groups: dict[tuple[str, str, str, tuple[str, ...]], int] = {}
    for span in selection.population:
        if id(span) not in kept:
            lost_by = tuple(s.words for s in wanted if not s.keeps(span))
            key = (span.name, span.service, span.kind.value, lost_by)
            groups[key] = groups.get(key, 0) + 1
    # Likeness is costly, so it ranks only the candidates that fewest selectors lost.
    fewest = sorted(groups, key=lambda key: (len(key[3]), key))[:MAX_COMPARED]
    ranked = sorted(fewest, key=lambda key: (len(key[3]), -SequenceMatcher(None, text, key[0]).ratio(), key))
    return tuple(
        f'{plural(groups[key], "span")} "{name}" (service {service or "unknown"}, {kind}): lost by {", ".join(lost_by)}'
        for key in ranked[:MAX_EXAMPLES]
        for name, service, kind, lost_by in (key,)
    )

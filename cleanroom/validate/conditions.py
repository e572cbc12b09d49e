"""The conditions of a span expectation: each says of one span what breaks it (spec.md section 6)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import filterfalse

from cleanroom.quantity import Duration
from cleanroom.spec.comparator import Comparator, describe, judge
from cleanroom.spec.expect import AttributeConditions, EventConditions, Pattern, SpanExpectation
from cleanroom.trace.model import Origin, Span, StatusCode
from cleanroom.validate import wording
from cleanroom.validate.index import naming
from cleanroom.validate.judged import AttributeTest, all_judged, any_judged, forbidden
from cleanroom.validate.lineage import Above
from cleanroom.validate.scene import Scene
from cleanroom.validate.schema import asked, schema_breach
from cleanroom.validate.select import names

ORPHAN_REMEDY = (
    "whoever made that span did not send it: see that it ends its spans, flushes on SIGTERM within `stop_grace`, and "
    "samples as its callers do"
)
UNSET_REMEDY = "unset is not ok: SDKs leave it so unless the program sets a status; `{ne: error}` takes both"
UNTIMED_REMEDY = "expect nothing of its times, or give the service a clock that only has an offset ({at} or {offset})"
CLOCK_REMEDY = "the sender's clock ran backwards meanwhile; without `clock` faults it must not"


def nothing_asked(_: tuple[Span, ...]) -> str:
    """Return that everything was asked."""
    return ""


def nothing_known(_: Span) -> str:
    """Return no remedy."""
    return ""


MAX_ASKED = 6
"""How many ancestors messages look at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One condition: its rule, the wanted in words, and what breaks it on a span (empty: it holds)."""

    rule: str
    expected: str
    breach: Callable[[Span], str]
    holds: Callable[[Span], bool] | None = None
    """Whether nothing breaks it, where that is known with less effort than the words."""
    breaking: Callable[[Collection[Span]], list[Span]] | None = None
    """Which spans break it, where many are asked with less effort than one after another."""
    remedy: Callable[[Span], str] = nothing_known
    """What to do about it where the cause is known, of a span that breaks it."""
    silent: Callable[[tuple[Span, ...]], str] = nothing_asked
    """What the condition could not say anything of, though it holds of all spans."""

    def broken(self, spans: Collection[Span]) -> list[Span]:
        """Return the spans that break it."""
        if self.breaking is not None:
            return self.breaking(spans)
        if self.holds is not None:
            return list(filterfalse(self.holds, spans))
        return list(filter(self.breach, spans))


def conditions(scene: Scene, expectation: SpanExpectation) -> tuple[Condition, ...]:
    """Return the conditions that `expectation` states, in the order of the spec language."""
    return (*_lineage(scene, expectation), *_carried(expectation), *_ended(expectation))


def _carried(expectation: SpanExpectation) -> tuple[Condition, ...]:
    """Return the conditions on what a span carries: attributes, resource, events."""
    found: list[Condition] = []
    attributes, events = expectation.attributes, expectation.events
    if attributes is not None:
        carried = attribute_test(attributes)
        found.append(
            Condition(
                rule="spans.attributes",
                expected=f"attributes: {wording.attributes(attributes)}",
                breach=lambda s: carried.breach(s.attributes),
                breaking=carried.broken,
            )
        )
    schema = expectation.schema
    if schema:
        found.append(
            Condition(
                rule="spans.schema",
                expected=f"attributes by the schema of {', '.join(sorted(schema))}",
                breach=lambda s: schema_breach(schema, s.attributes),
                silent=lambda spans: asked(schema, spans),
            )
        )
    if expectation.resource:
        of_resource = all_judged(expectation.resource)
        found.append(
            Condition(
                rule="spans.resource",
                expected="resource: " + _pairs(expectation.resource),
                breach=lambda s: of_resource.breach(s.resource.attributes),
                holds=lambda s: of_resource.holds(s.resource.attributes),
            )
        )
    if events is not None:
        found.append(
            Condition(
                rule="spans.events",
                expected=f"events: {wording.events(events)}",
                breach=lambda s: event_breach(events, tuple(e.name for e in s.events)),
            )
        )
    return tuple(found)


def _ended(expectation: SpanExpectation) -> tuple[Condition, ...]:
    """Return the conditions on a span's links, and on how it ended and when."""
    found: list[Condition] = []
    links, status, duration = expectation.links, expectation.status, expectation.duration
    if links is not None:
        found.append(
            Condition(
                rule="spans.links",
                expected=wording.wanted("number of links", links),
                breach=lambda s: judge(links, len(s.links)).reason,
            )
        )
    if status is not None:
        found.append(
            Condition(
                rule="spans.status",
                expected=wording.wanted("status", status),
                breach=lambda s: judge(status, s.status.value).reason,
                remedy=lambda s: status_remedy(status, s),
            )
        )
    if duration is not None:
        found.append(
            Condition(
                rule="spans.duration",
                expected=wording.wanted("duration", duration),
                breach=lambda s: _duration_breach(duration, s),
                remedy=_duration_remedy,
            )
        )
    return tuple(found)


def _lineage(scene: Scene, expectation: SpanExpectation) -> tuple[Condition, ...]:
    found: list[Condition] = []
    parent, ancestor, root = expectation.parent, expectation.ancestor, expectation.root
    if parent is not None:
        named = naming(parent)
        found.append(
            Condition(
                rule="spans.parent",
                expected=f'a parent named "{parent}"',
                breach=lambda s: _parent_breach(scene, named, s),
                breaking=lambda spans: [
                    s for s, parent in zip(spans, scene.parents(spans), strict=True) if not (parent and named(parent))
                ],
                remedy=lambda s: _parent_remedy(scene, parent, s),
            )
        )
    if ancestor is not None:
        above = Above(scene, ancestor)
        found.append(
            Condition(
                rule="spans.ancestor",
                expected=f'an ancestor named "{ancestor}"',
                breach=lambda s: "" if above(s) else _ancestors_told(scene, s),
                holds=above,
                remedy=lambda s: _orphan_remedy(scene, s),
            )
        )
    if root is not None:
        found.append(
            Condition(
                rule="spans.root",
                expected="a root (no parent among service spans)" if root else "a parent among service spans",
                breach=lambda s: _root_breach(scene, s, wanted=root),
                remedy=lambda s: _orphan_remedy(scene, s),
            )
        )
    return tuple(found)


def _parent_breach(scene: Scene, named: Callable[[Span], bool], span: Span) -> str:
    parent = scene.parent(span)
    if parent is not None:
        return "" if named(parent) else f'the parent is "{parent.name}"'
    return f"the parent {span.parent_id} never arrived" if span.parent_id else "there is no parent"


def _parent_remedy(scene: Scene, pattern: Pattern, span: Span) -> str:
    if any(names(pattern, ancestor) for ancestor in scene.nearest_ancestors(span, MAX_ASKED)):
        return f'"{pattern}" stands farther above: `ancestor` asks for that'
    return _orphan_remedy(scene, span)


def _orphan_remedy(scene: Scene, span: Span) -> str:
    return ORPHAN_REMEDY if span.parent_id and scene.parent(span) is None else ""


def _ancestors_told(scene: Scene, span: Span) -> str:
    ancestors = scene.nearest_ancestors(span, MAX_ASKED)
    if not ancestors:
        return f"the parent {span.parent_id} never arrived" if span.parent_id else "no ancestor arrived"
    more = ", …" if len(ancestors) == MAX_ASKED else ""
    return "the ancestors are " + ", ".join(f'"{a.name}"' for a in ancestors[: MAX_ASKED - 1]) + more


def _root_breach(scene: Scene, span: Span, *, wanted: bool) -> str:
    parent = scene.parent(span)
    if parent is None and span.parent_id:
        # An orphan is neither: what it hangs under is not known.
        return f"the parent {span.parent_id} never arrived"
    under_runner = parent is not None and parent.origin is Origin.RUNNER and span.origin is Origin.SERVICE
    is_root = parent is None or under_runner
    if is_root == wanted:
        return ""
    return "it is a root" if is_root else f'the parent is "{parent.name if parent else ""}"'


def attribute_test(wanted: AttributeConditions) -> AttributeTest:
    """Return whether attributes are as `{all, any, none}` wants them."""
    tests = [
        test
        for given, test in (
            (wanted.all, all_judged(wanted.all)),
            (wanted.any, any_judged(wanted.any)),
            (wanted.none, forbidden(wanted.none)),
        )
        if given
    ]
    if len(tests) == 1:
        return tests[0]
    return AttributeTest(
        lambda found: all(test.holds(found) for test in tests),
        lambda found: ", ".join(filter(None, (test.breach(found) for test in tests))),
    )


def event_breach(wanted: EventConditions, present: tuple[str, ...]) -> str:
    """Return what breaks `{all, any, none}` on the names of a span's events, or the empty string."""

    def has(glob: str) -> bool:
        return any(name == glob or fnmatchcase(name, glob) for name in present)

    found = []
    missing = [glob for glob in wanted.all if not has(glob)]
    if missing:
        found.append(f"missing: {', '.join(missing)}")
    if wanted.any and not any(has(glob) for glob in wanted.any):
        found.append(f"none of: {', '.join(wanted.any)}")
    forbidden = [glob for glob in wanted.none if has(glob)]
    if forbidden:
        found.append(f"forbidden: {', '.join(forbidden)}")
    return ", ".join(found) + (f" (events: {', '.join(present) or 'none'})" if found else "")


def status_remedy(wanted: Comparator, span: Span) -> str:
    """Return what to do where a span is unset and would do if it were ok."""
    unset = span.status is StatusCode.UNSET
    return UNSET_REMEDY if unset and judge(wanted, StatusCode.OK.value).holds else ""


def _duration_breach(comparator: Comparator, span: Span) -> str:
    if span.untimed:
        return f"its duration cannot be judged: {span.untimed}"
    if span.duration_ns < 0:
        return "the span ends before it starts, so it has no duration"
    return judge(comparator, Duration(span.duration_ns)).reason


def _duration_remedy(span: Span) -> str:
    if span.untimed:
        return UNTIMED_REMEDY
    return CLOCK_REMEDY if span.duration_ns < 0 else ""


def _pairs(wanted: Mapping[str, Comparator]) -> str:
    return ", ".join(f"{key} {describe(comparator)}" for key, comparator in sorted(wanted.items()))

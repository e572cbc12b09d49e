"""The pairs of `expect.graph`: edges and paths that must be there, or must not, and edges between services."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from cleanroom.spec.graph import EdgeExpectation, GraphExpectation
from cleanroom.spec.pattern import Pattern
from cleanroom.trace.model import Span
from cleanroom.validate import wording
from cleanroom.validate.ancestry import MISSING, OF_PROBE, Ancestry, Under
from cleanroom.validate.graph_services import Calls, calls_between, shown_service
from cleanroom.validate.graph_shape import Breach
from cleanroom.validate.scene import Scene
from cleanroom.validate.select import matches, named

PairKey: TypeAlias = Literal["edges", "no_edges", "paths", "no_paths", "service_edges"]

_RULES: dict[PairKey, tuple[str, str, str]] = {
    "edges": ("graph.edges", "edge", 'a span "{0}" that is the direct parent of a span "{1}"'),
    "no_edges": ("graph.no_edges", "no edge", 'no span "{0}" that is the direct parent of a span "{1}"'),
    "paths": ("graph.paths", "path", 'a span "{0}" that is an ancestor of a span "{1}"'),
    "no_paths": ("graph.no_paths", "no path", 'no span "{0}" that is an ancestor of a span "{1}"'),
    "service_edges": (
        "graph.service_edges", "service edge",
        'a span of service "{0}" that is the direct parent of one of service "{1}"',
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class PairRule:
    """One pair, and under which key of `graph` it stands."""

    key: PairKey
    pair: EdgeExpectation

    @property
    def rule(self) -> str:
        """The rule that it breaks."""
        return _RULES[self.key][0]

    @property
    def noun(self) -> str:
        """What the pair is, in words."""
        return _RULES[self.key][1]

    @property
    def expected(self) -> str:
        """What is wanted, in words."""
        return _RULES[self.key][2].format(self.pair.parent, self.pair.child)

    @property
    def far(self) -> bool:
        """Whether others may stand between the two."""
        return self.key in ("paths", "no_paths")

    @property
    def forbids(self) -> bool:
        """Whether the pair must not be there."""
        return self.key in ("no_edges", "no_paths")

    @property
    def of_runner(self) -> bool:
        """Whether a pattern speaks of the runner's spans; patterns of services never do."""
        return self.key != "service_edges" and (self.pair.parent.of_runner or self.pair.child.of_runner)

    @property
    def needs_service(self) -> bool:
        """Whether service spans are spoken of."""
        return self.key == "service_edges" or not (self.pair.parent.of_runner and self.pair.child.of_runner)


def rules_of(graph: GraphExpectation) -> Iterator[PairRule]:
    """Yield every pair of the block in the order of the spec language."""
    by_key: tuple[tuple[PairKey, tuple[EdgeExpectation, ...]], ...] = (
        ("edges", graph.edges),
        ("no_edges", graph.no_edges),
        ("paths", graph.paths),
        ("no_paths", graph.no_paths),
        ("service_edges", graph.service_edges),
    )
    return (PairRule(key=key, pair=pair) for key, pairs in by_key for pair in pairs)


def holds(scene: Scene, rule: PairRule, ancestry: Ancestry, calls: Calls) -> bool:
    """Whether a pair that must be there is there."""
    if rule.key == "service_edges":
        return next(calls_between(calls, rule.pair), None) is not None
    return any(map(_under(scene, rule, rule.pair.parent, ancestry), ancestry.places(named(scene, rule.pair.child))))


def breach_of(scene: Scene, rule: PairRule, ancestry: Ancestry, calls: Calls) -> Breach | None:
    """Return what breaks the pair, or None."""
    if rule.key == "service_edges":
        return None if holds(scene, rule, ancestry, calls) else _no_call(scene, rule.pair, calls)
    if rule.forbids:
        return _nothing(scene, rule.pair) or _forbidden(scene, rule, ancestry)
    return None if holds(scene, rule, ancestry, calls) else _absent(scene, rule, ancestry)


def _under(
    scene: Scene, rule: PairRule, parent: Pattern, ancestry: Ancestry, *, itself: bool = False
) -> Callable[[int], bool]:
    """Return what says whether a span stands under one that `parent` names, as near as the rule wants it."""
    under = Under.of(ancestry, named(scene, parent), far=rule.far)
    one = under.anywhere if rule.far else under.directly
    return lambda place: one(place, itself=itself)


def _nothing(scene: Scene, pair: EdgeExpectation) -> Breach | None:
    """Return what breaks a pair that must not be there where nothing was seen: that is no evidence."""
    for pattern in (pair.parent, pair.child):
        if not (scene.runner_spans if pattern.of_runner else scene.service_spans):
            whose = "the runner" if pattern.of_runner else "a service"
            return Breach(found=f"no span of {whose}, and of nothing there is no evidence")
    return None


def _forbidden(scene: Scene, rule: PairRule, ancestry: Ancestry) -> Breach | None:
    pair = rule.pair
    children = ancestry.places(named(scene, pair.child))
    is_under = _under(scene, rule, pair.parent, ancestry, itself=True)
    broken = [place for place in children if is_under(place)]
    if broken:
        stands = "has one above it" if rule.far else "is its direct child"
        told = wording.listing(_told(ancestry, broken[: wording.MAX_EXAMPLES]))
        return Breach(
            found=f'{wording.plural(len(broken), "span")} "{pair.child}" of which each {stands}: {told}'
            + _more(len(broken)),
            spans=_spans(ancestry, broken),
        )
    if pair.parent.of_runner:  # the runner's own spans are never lost on the way
        return None
    hidden = ancestry.inherit(lambda place: ancestry.above[place] == MISSING) if rule.far else []

    def unknown(place: int) -> bool:
        up = ancestry.above[place]
        return up == MISSING or (rule.far and up >= 0 and hidden[ancestry.link_of[up]])

    lost = [place for place in children if unknown(place)]
    if not lost:
        return None
    whose = "an ancestor" if rule.far else "a parent"
    told = wording.listing(_told(ancestry, lost[: wording.MAX_EXAMPLES]))
    return Breach(
        found=f'{wording.plural(len(lost), "span")} "{pair.child}" with {whose} that never arrived, and so may be '
        f'"{pair.parent}": {told}{_more(len(lost))}',
        spans=_spans(ancestry, lost),
        remedy="see that every service of the way exports its spans and flushes them when it stops",
    )


def _absent(scene: Scene, rule: PairRule, ancestry: Ancestry) -> Breach:
    pair = rule.pair
    parents, children = named(scene, pair.parent), named(scene, pair.child)
    how = "an ancestor" if rule.far else "the parent"
    return Breach(
        found=(
            f'{wording.plural(len(parents), "span")} "{pair.parent}", {wording.plural(len(children), "span")} '
            f'"{pair.child}", and none of the one is {how} of one of the other'
        ),
        near_misses=tuple(
            f"{wording.label(ancestry.spans[place])}: {above(ancestry, place)}"
            for place in ancestry.places(children[: wording.MAX_EXAMPLES])
        ),
        spans=children or parents,
        remedy=_cause(scene, rule, ancestry),
    )


def _cause(scene: Scene, rule: PairRule, ancestry: Ancestry) -> str:
    """Return what to do where the spans stand in another way than the spec says; otherwise nothing."""
    pair = rule.pair
    turned = _under(scene, rule, pair.child, ancestry)
    if any(map(turned, ancestry.places(named(scene, pair.parent)))):
        return f'it is the other way round: "{pair.child}" stands above "{pair.parent}"'
    children = ancestry.places(named(scene, pair.child))
    if not rule.far and any(map(Under.of(ancestry, named(scene, pair.parent), far=True).anywhere, children)):
        return "there are others between the two: `paths` allows that"
    if any(ancestry.above[place] == MISSING for place in children):
        return "a parent never arrived: see that its service exports its spans and flushes them when it stops"
    return ""


def above(ancestry: Ancestry, place: int) -> str:
    """Return what stands directly above a span, in words."""
    span = ancestry.spans[place]
    names = sorted({parent.name for parent in ancestry.parents(place, wording.MAX_EXAMPLES)})
    if names:
        return "the parent is " + ", ".join(f'"{name}"' for name in names)
    match ancestry.above[place]:
        case up if up == MISSING:
            return f"the parent {span.parent_id} never arrived"
        case up if up == OF_PROBE:
            return "the parent is a probe of the runner, which makes no span"
        case up if up >= 0:
            return "it names itself as its parent"
        case _:
            return "there is no parent"


def _no_call(scene: Scene, pair: EdgeExpectation, calls: Calls) -> Breach:
    every = scene.service_spans
    callers = [span for span in every if matches(pair.parent, span.service)]
    called = [span for span in every if matches(pair.child, span.service)]
    turned = EdgeExpectation(parent=pair.child, child=pair.parent)
    near = sorted(
        (caller, callee)
        for caller, callee in calls.between
        if caller != callee and (matches(pair.parent, caller) or matches(pair.child, callee))
    )
    return Breach(
        found=(
            f'{wording.plural(len(callers), "span")} of service "{pair.parent}", '
            f'{wording.plural(len(called), "span")} of service "{pair.child}", '
            "and none of the one is the parent of one of the other"
        ),
        near_misses=tuple(
            f"{shown_service(caller)} → {shown_service(callee)}: "
            f"{wording.plural(len(calls.between[caller, callee]), 'edge')}"
            for caller, callee in near[: wording.MAX_EXAMPLES]
        ),
        spans=tuple(called or callers),
        remedy="it is the other way round" if next(calls_between(calls, turned), None) else "",
    )


def _told(ancestry: Ancestry, places: Iterable[int]) -> Iterator[str]:
    return (f"{wording.label(ancestry.spans[place])}: {above(ancestry, place)}" for place in places)


def _more(number: int) -> str:
    more = number - wording.MAX_EXAMPLES
    return f"; and {more} more" if more > 0 else ""


def _spans(ancestry: Ancestry, places: Iterable[int]) -> tuple[Span, ...]:
    return tuple(ancestry.spans[place] for place in places)

"""What stands above what in a scene, in linear time and whatever was sent: loops, doubled ids, missing parents.

What it means where ids are broken (spec.md section 6 resolves parents by span id within one trace):

- Spans of one trace that carry the same id stand together: each of them is a parent of those that name the id. The
  runner's own span stands alone for its id; a service's span of that id is nobody's parent.
- An id of zeros is no id: a span with a parent id of zeros is a root, one of such an id is nobody's parent.
- A span that names itself is its own parent in a loop of one; what is asked of others is never held by itself.
- A parent that never arrived is unknown; in a trace that the runner issued for its probes it is the runner's, which
  makes no span there, unless several parents are missing.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice, repeat
from operator import attrgetter, lt
from typing import overload

from cleanroom.trace.model import Origin, Span
from cleanroom.validate.scene import Scene

NO_PARENT = -1
OF_PROBE = -2
MISSING = -3


@dataclass(frozen=True, slots=True)
class _Alone(Sequence[tuple[int, ...]]):
    """The places of so many knots of which each is one span."""

    number: int

    def __len__(self) -> int:
        return self.number

    @overload
    def __getitem__(self, knot: int) -> tuple[int, ...]: ...
    @overload
    def __getitem__(self, knot: slice) -> tuple[tuple[int, ...], ...]: ...
    def __getitem__(self, knot: int | slice) -> tuple[int, ...] | tuple[tuple[int, ...], ...]:
        if isinstance(knot, slice):
            return tuple((place,) for place in range(self.number)[knot])
        return (range(self.number)[knot],)

    def __iter__(self) -> Iterator[tuple[int, ...]]:
        return zip(range(self.number), strict=True)


@dataclass(frozen=True, slots=True)
class _Chains:
    """How knots stand above each other."""

    order: Sequence[int]
    link_of: Sequence[int]
    loops: dict[int, list[int]]


@dataclass(frozen=True, kw_only=True)
class Ancestry:
    """The spans of a scene by their place in it, the knots of spans that share an id, and the chains of knots."""

    spans: tuple[Span, ...]
    knot_of: Sequence[int]
    """Place → knot."""
    above: Sequence[int]
    """Place → the knot of its parent, or NO_PARENT, OF_PROBE, MISSING."""
    members: Sequence[Sequence[int]]
    """Knot → places."""

    @cached_property
    def place_of(self) -> dict[int, int]:
        """`id(span)` → its place in `spans`."""
        return dict(zip(map(id, self.spans), range(len(self.spans)), strict=True))

    @cached_property
    def _chains(self) -> _Chains:
        number = len(self.members)
        if isinstance(self.members, _Alone) and all(map(lt, self.above, range(number))):
            return _Chains(range(number), range(number), {})  # each after its parent, as they were started
        return _chains([_ups(self.above, places) for places in self.members])

    @property
    def order(self) -> Sequence[int]:
        """Every knot after all those above it; the knots of one link together."""
        return self._chains.order

    @property
    def link_of(self) -> Sequence[int]:
        """Knot → link: a single knot, or all knots of one loop; numbered as they come in `order`."""
        return self._chains.link_of

    @property
    def loops(self) -> dict[int, list[int]]:
        """Link → its knots, where these form a loop."""
        return self._chains.loops

    @property
    def links(self) -> int:
        """How many links there are."""
        return self.link_of[self.order[-1]] + 1 if self.order else 0

    def ups(self, knot: int) -> Iterator[int]:
        """Yield the knots above a knot; one that several of its spans name comes several times."""
        return (self.above[place] for place in self.members[knot] if self.above[place] >= 0)

    def places(self, spans: Iterable[Span]) -> list[int]:
        """Return where `spans` stand."""
        return [self.place_of[id(span)] for span in spans]

    def inherit(self, own: Callable[[int], bool]) -> list[bool]:
        """Return for each link whether `own` holds of one of its places, or of one of a link above it."""
        found = [False] * self.links
        above, members, link_of = self.above, self.members, self.link_of
        for knot in self.order:
            link = link_of[knot]
            found[link] = found[link] or any(
                own(place) or (above[place] >= 0 and found[link_of[above[place]]]) for place in members[knot]
            )
        return found

    def parents(self, place: int, most: int) -> list[Span]:
        """Return at most so many spans that are the direct parent of a span, itself left out."""
        up = self.above[place]
        others = (self.spans[p] for p in self.members[up] if p != place) if up >= 0 else iter(())
        return list(islice(others, most))


@dataclass(frozen=True, slots=True, kw_only=True)
class Under:
    """Which spans stand under some of the marked ones, directly or at any distance; nothing stands under itself."""

    ancestry: Ancestry
    marked: frozenset[int]
    by_knot: dict[int, int]
    by_link: list[bool]
    """Link → whether it or a link above it has a marked span."""
    from_above: dict[int, bool]
    """Link of a loop → whether a link above it has one."""
    in_loop: dict[int, int]
    """Link of a loop → how many marked spans it has."""

    @classmethod
    def of(cls, ancestry: Ancestry, spans: Iterable[Span], *, far: bool = False) -> Under:
        """Mark `spans`; only with `far` are those asked for that stand under them at a distance."""
        marked = frozenset(ancestry.places(spans))
        by_knot: dict[int, int] = {}
        in_loop: dict[int, int] = {}
        for place in marked:
            knot = ancestry.knot_of[place]
            by_knot[knot] = by_knot.get(knot, 0) + 1
        for knot in by_knot if far and ancestry.loops else ():
            link = ancestry.link_of[knot]
            if link in ancestry.loops:
                in_loop[link] = in_loop.get(link, 0) + by_knot[knot]
        by_link = ancestry.inherit(marked.__contains__) if far else []
        from_above: dict[int, bool] = {}
        for link, knots in ancestry.loops.items() if far else ():
            ups = {ancestry.link_of[up] for knot in knots for up in ancestry.ups(knot)} - {link}
            from_above[link] = any(by_link[up] for up in ups)
        return cls(
            ancestry=ancestry, marked=marked, by_knot=by_knot, by_link=by_link, from_above=from_above, in_loop=in_loop
        )  # fmt: skip

    def directly(self, place: int, *, itself: bool = False) -> bool:
        """Whether a direct parent of the span is marked; with `itself` it may be its own."""
        up = self.ancestry.above[place]
        own = not itself and up == self.ancestry.knot_of[place] and place in self.marked
        return up >= 0 and self.by_knot.get(up, 0) > own

    def anywhere(self, place: int, *, itself: bool = False) -> bool:
        """Whether an ancestor of the span is marked; the marks must have been made with `far`."""
        own, up = self.ancestry, self.ancestry.above[place]
        if up < 0:
            return False
        link = own.link_of[up]
        if link != own.link_of[own.knot_of[place]]:
            return self.by_link[link]
        # In a loop everything stands above everything, and above itself only where that is asked.
        return self.from_above[link] or self.in_loop.get(link, 0) > (not itself and place in self.marked)


def ancestry_of(scene: Scene) -> Ancestry:
    """Return the ancestry of a scene's spans, the runner's included; linear in their number."""
    trace = scene.trace
    spans = trace.spans
    if trace.unique and all(map(str.strip, map(attrgetter("span_id"), spans), repeat("0"))):
        places = range(len(spans))
        above = _unknown(spans, trace.above, _issued(scene))
        return Ancestry(spans=spans, knot_of=places, above=above, members=_Alone(len(spans)))
    knot_of, by_id, members = _knots(spans)
    known = [by_id.get((span.trace_id, span.parent_id), -1) if span.parent_id.strip("0") else -1 for span in spans]
    return Ancestry(spans=spans, knot_of=knot_of, above=_unknown(spans, known, _issued(scene)), members=members)


def components(nodes: Iterable[int], above: Sequence[Iterable[int]]) -> Iterator[list[int]]:
    """Yield the sets of nodes that reach each other going up, every set after those above it (Tarjan's algorithm)."""
    number: dict[int, int] = {}
    low: dict[int, int] = {}
    done: set[int] = set()
    open_nodes: list[int] = []
    for start in nodes:
        if start in number:
            continue
        number[start] = low[start] = len(number)
        open_nodes.append(start)
        path = [(start, iter(above[start]))]
        while path:
            node, rest = path[-1]
            for up in rest:
                if up not in number:
                    number[up] = low[up] = len(number)
                    open_nodes.append(up)
                    path.append((up, iter(above[up])))
                    break
                if up not in done:
                    low[node] = min(low[node], number[up])
            else:
                path.pop()
                if path:
                    low[path[-1][0]] = min(low[path[-1][0]], low[node])
                if low[node] == number[node]:
                    cut = len(open_nodes) - 1
                    while open_nodes[cut] != node:
                        cut -= 1
                    found = open_nodes[cut:]
                    del open_nodes[cut:]
                    done.update(found)
                    yield found


def _knots(spans: Sequence[Span]) -> tuple[list[int], dict[tuple[str, str], int], list[list[int]]]:
    of_runner = {(s.trace_id, s.span_id) for s in spans if s.origin is Origin.RUNNER}
    by_id: dict[tuple[str, str], int] = {}
    knot_of: list[int] = []
    members: list[list[int]] = []
    for place, span in enumerate(spans):
        own = (span.trace_id, span.span_id)
        forged = bool(of_runner) and span.origin is not Origin.RUNNER and own in of_runner
        new = len(members)
        knot = new if forged or not span.span_id.strip("0") else by_id.setdefault(own, new)
        if knot == new:
            members.append([place])
        else:
            members[knot].append(place)
        knot_of.append(knot)
    return knot_of, by_id, members


def _unknown(spans: Sequence[Span], known: Sequence[int], issued: frozenset[str]) -> Sequence[int]:
    """Return the knots of parents, those that are known and what the others are."""
    above = array("q", known)
    lost: dict[str, set[str]] = {}
    for place in [place for place, up in enumerate(known) if up < 0]:
        span = spans[place]
        if not span.parent_id.strip("0"):
            above[place] = NO_PARENT
            continue
        above[place] = MISSING
        if span.trace_id in issued:
            lost.setdefault(span.trace_id, set()).add(span.parent_id)
    # The runner issues one parent for a trace: where two are missing, at least one of them is really lost.
    probes = {trace for trace, parents in lost.items() if len(parents) == 1}
    for place in [place for place, up in enumerate(above) if up == MISSING] if probes else ():
        if spans[place].trace_id in probes:
            above[place] = OF_PROBE
    return above


def _ups(above: Sequence[int], places: Sequence[int]) -> tuple[int, ...]:
    """Return the knots above those places, each once."""
    if len(places) == 1:  # all but broken traces, and so it is worth being quick about
        up = above[places[0]]
        return (up,) if up >= 0 else ()
    return tuple({above[place] for place in places if above[place] >= 0})


def _issued(scene: Scene) -> frozenset[str]:
    return frozenset(trace for record in scene.scenarios for trace in record.noise_traces)


def _chains(ups: Sequence[Sequence[int]]) -> _Chains:
    """Return the knots from the top down, the link of each, and the links that are loops."""
    order = _downwards(ups)
    link_of = [0] * len(ups)
    for link, knot in enumerate(order):
        link_of[knot] = link
    loops: dict[int, list[int]] = {}
    told = set(order)
    rest = [knot for knot in range(len(ups)) if knot not in told] if len(order) < len(ups) else []
    loose = [[up for up in above if up not in told] for above in ups] if rest else []
    for link, found in enumerate(components(rest, loose), start=len(order)):
        order += found
        for knot in found:
            link_of[knot] = link
        if len(found) > 1 or found[0] in ups[found[0]]:
            loops[link] = sorted(found)
    return _Chains(order, link_of, loops)


def _downwards(ups: Sequence[Sequence[int]]) -> list[int]:
    """Return every knot that stands neither in a loop nor under one, after all those above it."""
    downs: list[list[int]] = [[] for _ in ups]
    waiting = [len(above) for above in ups]
    for knot, above in enumerate(ups):
        for up in above:
            downs[up].append(knot)
    order = [knot for knot, number in enumerate(waiting) if not number]
    for knot in order:  # grows meanwhile
        for down in downs[knot]:
            waiting[down] -= 1
            if not waiting[down]:
                order.append(down)
    return order

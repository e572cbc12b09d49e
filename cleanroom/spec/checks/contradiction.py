"""Expectations of one `expect` that exclude each other: reported only where it is certain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from cleanroom.spec.comparator import Comparator, at_least_one, describe
from cleanroom.spec.document import Items, Table
from cleanroom.spec.operand import shown
from cleanroom.spec.pattern import Pattern
from cleanroom.spec.reference import locate
from cleanroom.spec.satisfiable import admits_only_zero, exclude_each_other, least, most

if TYPE_CHECKING:
    from cleanroom.spec.document import Node
    from cleanroom.spec.expect import CountExpectation, EdgeExpectation, Expect, SpanExpectation
    from cleanroom.spec.problem import ProblemLog
    from cleanroom.spec.source import Position

MOST_COMPARED = 300
"""How many patterns with wildcards are compared with how many others: comparing all with all has no bound."""
Key: TypeAlias = tuple[object, ...]
ANYTHING = Pattern("*")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Count:
    """How many spans selectors select; `named` when they are a name alone, and None for all spans of services."""

    key: Key
    named: Pattern | None
    by_name: bool
    comparator: Comparator
    at: Position
    what: str


def check_contradictions(expect: Expect, tables: Mapping[Position, Table], log: ProblemLog) -> None:
    """Report pairs of expectations of which at most one can hold; warnings do not fail, so they contradict nothing."""
    expect = _sound(expect, tables, log)
    counts = [*_span_counts(expect.spans, tables), *_figures(expect.counts)]
    _check_counts(counts, log)
    _check_sums(expect.counts, log)
    _check_absent(expect, counts, tables, log)
    _check_graph(expect, log)
    _check_order(expect, log)


def _sound(expect: Expect, tables: Mapping[Position, Table], log: ProblemLog) -> Expect:
    """Return what was read in full: without a key that was refused, an expectation says what nobody wrote."""
    reported = {at for _, at, _ in log.found}
    if not reported:
        return expect
    families = ("spans", "windows", "order", "overlap", "intervals", "rate", "concurrency")
    sound: dict[str, Any] = {
        family: tuple(found for found in getattr(expect, family) if not _is_broken(tables.get(found.at), reported))
        for family in families
    }
    return replace(expect, **sound)


def _is_broken(node: Node | None, reported: set[Position]) -> bool:
    """Whether a problem was reported at the node or anywhere inside it."""
    pending: list[Node] = [] if node is None else [node]
    while pending:
        part = pending.pop()
        if part.at in reported:
            return True
        if isinstance(part, Items):
            pending += part.items
        elif isinstance(part, Table):
            if any(entry.at in reported for entry in part.entries):
                return True
            pending += [entry.value for entry in part.entries]
    return False


def _span_counts(spans: Sequence[SpanExpectation], tables: Mapping[Position, Table]) -> Iterator[_Count]:
    for span in spans:
        if span.level != "error":
            continue
        rest = (span.service, span.kind, span.scope, span.during, span.before, span.after)
        key = (span.name, *rest, _frozen(span.where))
        yield _Count(
            key=key,
            named=span.name,
            by_name=not any(rest) and not span.where,
            comparator=span.count or at_least_one(),
            at=_at(tables, span.at, "count"),
            what=str(span.name or "the spans selected"),
        )


def _figures(counts: Sequence[CountExpectation]) -> Iterator[_Count]:
    """Yield the figures of `counts` as the selectors that count the same."""
    nothing = _frozen({})
    for count in counts:
        if count.level != "error" or count.what in ("errors", "events"):
            continue
        name = Pattern(count.key) if count.what == "by_name" else None
        service = Pattern(count.key) if count.what == "by_service" else None
        kind = count.key if count.what == "by_kind" else None
        yield _Count(
            key=(name, service, kind, None, "", "", "", nothing),
            named=name,
            by_name=service is None and kind is None,
            comparator=count.comparator,
            at=count.at,
            what=count.key or "all spans of services",
        )


def _frozen(value: object) -> Key:
    """Return a value that is equal and hashable exactly for equal selectors."""
    if isinstance(value, Comparator):
        return ("comparator", *((name, _frozen(operand)) for name, operand in value.tests))
    if isinstance(value, Mapping):
        return ("mapping", *sorted(((str(key), _frozen(item)) for key, item in value.items()), key=repr))
    if isinstance(value, tuple):
        return ("list", *(_frozen(item) for item in value))
    return (type(value).__name__, value)


def _check_counts(counts: Sequence[_Count], log: ProblemLog) -> None:
    """Report the same selectors with counts that no number satisfies."""
    first: dict[Key, _Count] = {}
    for count in counts:
        known = first.setdefault(count.key, count)
        if known is not count and exclude_each_other(known.comparator, count.comparator):
            message = (
                f"{count.what}: {describe(count.comparator)} here, {describe(known.comparator)} at {known.at}: "
                "no number is both"
            )
            log.report("contradiction", count.at, message)


def _check_sums(counts: Sequence[CountExpectation], log: ProblemLog) -> None:
    """Report parts that are more than all spans together."""
    judged = [count for count in counts if count.level == "error"]
    whole = next((count for count in judged if count.what == "spans"), None)
    limit = most(whole.comparator) if whole is not None else None
    if whole is None or limit is None:
        return
    for what in ("by_name", "by_service", "by_kind", "errors"):
        parts = [count for count in judged if count.what == what and _is_part(count)]
        total = sum(least(count.comparator) for count in parts)
        if total > limit:
            message = f"counts.spans allows at most {limit}, and counts.{what} needs at least {total}"
            log.report("contradiction", parts[0].at, message)


def _is_part(count: CountExpectation) -> bool:
    """Whether no other part of its kind counts the same spans, and they are spans of services."""
    return count.what in ("by_kind", "errors") or (Pattern(count.key).is_literal and not Pattern(count.key).of_runner)


def _at(tables: Mapping[Position, Table], at: Position, *path: str | int) -> Position:
    """Return where a part of the expectation at `at` stands; its own place when it was written without keys."""
    found = locate(tables.get(at), *path)
    return found.at if found is not None else at


def _check_absent(expect: Expect, counts: Sequence[_Count], tables: Mapping[Position, Table], log: ProblemLog) -> None:
    """Report what needs a span that another expectation says is absent."""
    absent = [count for count in counts if count.by_name and admits_only_zero(count.comparator)]
    exact = {count.named: count for count in absent if count.named is not None}
    wild = [count for count in absent if count.named is not None and not count.named.is_literal][:MOST_COMPARED]
    nothing = next((count for count in absent if count.named is None), None)
    if not absent:
        return
    compared = 0
    for pattern, at, what in (*_needed(expect, tables), *_counted(counts, exact)):
        found = exact.get(pattern)
        if found is None and wild and compared < MOST_COMPARED:
            compared += 1
            found = next((count for count in wild if count.named and count.named.covers(pattern)), None)
        if found is None and not pattern.of_runner:
            found = nothing
        if found is not None and found.at != at:
            absentee = found.what if found.named is not None else "every span of a service"
            message = f"{what} can never hold: {absentee} is declared absent at {found.at}"
            log.report("contradiction", at, message)


def _counted(counts: Sequence[_Count], absent: Mapping[Pattern, _Count]) -> Iterator[tuple[Pattern, Position, str]]:
    """Yield the spans that counts need; the same selectors with two counts are reported by themselves."""
    for count in counts:
        if count.by_name and (count.named is None or count.named in absent):
            continue
        if least(count.comparator):
            yield count.named or ANYTHING, count.at, f"{count.what}: {describe(count.comparator)}"


def _needed(expect: Expect, tables: Mapping[Position, Table]) -> Iterator[tuple[Pattern, Position, str]]:
    """Yield the names of spans without which an expectation breaks; ANYTHING where any span of a service will do."""
    for span in expect.spans:
        needs = span.level == "error" and least(span.count or at_least_one())
        for key, above in (("parent", span.parent), ("ancestor", span.ancestor)):
            if needs and above is not None:
                yield above, _at(tables, span.at, key), f"{key} {above}"
    yield from _needed_by_graph(expect)
    yield from _needed_in_time(expect, tables)
    for status in expect.status:
        if status.level == "error":
            yield status.name or ANYTHING, status.at, f"the status of {status.name or 'every span'}"
    for count in expect.counts:
        if count.level == "error" and count.what in ("errors", "events"):
            yield ANYTHING, count.at, f"counts.{count.what}, which nothing is evidence of,"


def _needed_by_graph(expect: Expect) -> Iterator[tuple[Pattern, Position, str]]:
    graph = expect.graph
    if graph is not None and graph.level == "error":
        for kind, pairs in (("edge", graph.edges), ("path", graph.paths)):
            for pair in pairs:
                if pair.level == "error":
                    yield pair.parent, pair.at, f"the {kind} from {pair.parent}"
                    yield pair.child, pair.at, f"the {kind} to {pair.child}"
        for pair in graph.service_edges:
            yield ANYTHING, pair.at, "an edge between services"


def _needed_in_time(expect: Expect, tables: Mapping[Position, Table]) -> Iterator[tuple[Pattern, Position, str]]:
    for window in expect.windows:
        if window.level == "error":
            yield window.outer, _at(tables, window.at, "outer"), f"a window with {window.outer}"
            for index, pattern in enumerate(window.contains):
                yield pattern, _at(tables, window.at, "contains", index), f"a window with {pattern}"
    for order in expect.order:
        for key, pattern in (("first", order.first), ("then", order.then)) if order.level == "error" else ():
            yield pattern, _at(tables, order.at, key), f"an order with {pattern}"
    for overlap in expect.overlap:
        for pattern in (overlap.first, overlap.second) if overlap.level == "error" else ():
            yield pattern, overlap.at, f"an overlap with {pattern}"
    for timed in expect.selected:
        if timed.level == "error":
            at = _at(tables, timed.at, "spans", "name")
            yield timed.spans.name or ANYTHING, at, f"what is said of {timed.spans.name or 'spans'}"


def _check_graph(expect: Expect, log: ProblemLog) -> None:
    graph = expect.graph
    if graph is None or graph.level != "error":
        return
    for pair in (*graph.edges, *graph.paths):
        if pair.child.of_runner and not pair.parent.of_runner:
            why = "the runner's own spans have only its own above them"
            message = f"[{pair.parent}, {pair.child}] can never hold: {why}"
            log.report("impossible", pair.at, message)
    # A direct edge is a path too.
    for wanted, kind, forbidden, other in (
        (graph.edges, "edges", graph.no_edges, "no_edges"),
        (graph.edges, "edges", graph.no_paths, "no_paths"),
        (graph.paths, "paths", graph.no_paths, "no_paths"),
    ):
        _check_pairs(_failing(wanted), _failing(forbidden), f"{kind} wants it and {other} forbids it", log)
    if graph.acyclic:
        calls = [edge for edge in _failing(graph.service_edges) if edge.parent.is_literal and edge.child.is_literal]
        _check_circle([(edge.parent, edge.child, edge.at) for edge in calls if edge.parent != edge.child],
                      "service_edges form a circle, and the graph is to be acyclic", log)  # fmt: skip


def _failing(pairs: Sequence[EdgeExpectation]) -> tuple[EdgeExpectation, ...]:
    return tuple(pair for pair in pairs if pair.level == "error")


def _check_pairs(
    wanted: Sequence[EdgeExpectation], forbidden: Sequence[EdgeExpectation], why: str, log: ProblemLog
) -> None:
    exact = {(pair.parent, pair.child): pair for pair in forbidden}
    wild = [pair for pair in forbidden if not (pair.parent.is_literal and pair.child.is_literal)][:MOST_COMPARED]
    for index, pair in enumerate(wanted):
        found = exact.get((pair.parent, pair.child))
        if found is None and index < MOST_COMPARED:
            covering = (p for p in wild if p.parent.covers(pair.parent) and p.child.covers(pair.child))
            found = next(covering, None)
        if found is not None:
            message = f"[{pair.parent}, {pair.child}] can never hold: {why} at {found.at}"
            log.report("contradiction", pair.at, message)


def _check_order(expect: Expect, log: ProblemLog) -> None:
    orders = [order for order in expect.order if order.level == "error" and order.first != order.then]
    for within in ("iteration", "trace", "step", "parent"):
        steps = [(order.first, order.then, order.at) for order in orders if order.within == within]
        _check_circle(steps, "each is to come before the next", log)
    apart = {frozenset((order.first, order.then)): order for order in orders
             if order.by == "end_start" and order.within == "iteration"}  # fmt: skip
    for overlap in expect.overlap:
        found = apart.get(frozenset((overlap.first, overlap.second)))
        if found is not None and overlap.level == "error":
            message = f"{overlap.first} and {overlap.second} cannot overlap: one ends before the other, says {found.at}"
            log.report("contradiction", overlap.at, message)


def _check_circle(steps: Sequence[tuple[Pattern, Pattern, Position]], why: str, log: ProblemLog) -> None:
    """Report the first circle that the steps form, where the step stands that closes it."""
    after: dict[Pattern, list[Pattern]] = {}
    for first, then, at in steps:
        path = _way(then, first, after)
        if path:
            names = " -> ".join(shown(str(pattern)) for pattern in (first, *path))
            log.report("contradiction", at, f"{names} can never hold: {why}")
            return
        after.setdefault(first, []).append(then)
        if len(after) > MOST_COMPARED:
            return


def _way(start: Pattern, goal: Pattern, after: Mapping[Pattern, Sequence[Pattern]]) -> tuple[Pattern, ...]:
    """Return a way from `start` to `goal`, both included, or nothing."""
    came: dict[Pattern, Pattern | None] = {start: None}
    pending = [start]
    while pending:
        here = pending.pop(0)
        if here == goal:
            way: list[Pattern] = []
            step: Pattern | None = here
            while step is not None:
                way.append(step)
                step = came[step]
            return tuple(reversed(way))
        for following in after.get(here, ()):
            if following not in came:
                came[following] = here
                pending.append(following)
    return ()

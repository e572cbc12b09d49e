"""The shape of a whole graph: loops, roots, orphans, what hangs together, and how deep it is (spec.md section 6)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cleanroom.trace.model import Origin, Span
from cleanroom.validate import wording
from cleanroom.validate.ancestry import MISSING, NO_PARENT, OF_PROBE, Ancestry

MAX_NAMES = 6
FLUSH = "see that every service exports its spans and flushes them when it stops"


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """What breaks a check, for its finding."""

    found: str
    near_misses: tuple[str, ...] = ()
    spans: tuple[Span, ...] = ()
    remedy: str = ""


def loop_breach(ancestry: Ancestry, circle: Breach | None) -> Breach | None:
    """Return the loops of parent ids; where there is none, the circle of services."""
    if not ancestry.loops:
        return circle
    told = [_loop(ancestry, knots) for knots in ancestry.loops.values()]
    told.sort(key=lambda spans: _key(spans[0]))
    words = wording.listing(
        " → ".join(f'"{span.name}"' for span in _closed(spans))
        for spans in told[: wording.MAX_EXAMPLES]
    )  # fmt: skip
    return Breach(
        found=f"{wording.plural(len(told), 'circle')} of parents: {words}{_more(len(told))}",
        spans=tuple(span for spans in told for span in spans),
        remedy="a sender made these parent ids: no SDK gives a span a parent that began after it",
    )


def root_breach(ancestry: Ancestry) -> Breach | None:
    """Return the traces that have no root, or several."""
    roots: dict[str, list[Span]] = {}
    probed: set[str] = set()
    for span, up in zip(ancestry.spans, ancestry.above, strict=True):
        own = roots.setdefault(span.trace_id, [])
        if up == NO_PARENT:
            own.append(span)
        elif up == OF_PROBE:
            probed.add(span.trace_id)
    wrong = sorted(trace for trace, own in roots.items() if len(own) + (trace in probed) != 1)
    if not wrong:
        return None
    rootless = {trace for trace in wrong if not roots[trace]}
    return Breach(
        found=f"{wording.plural(len(wrong), 'trace')} of {len(roots)} without exactly one root: "
        + "; ".join(_roots(trace, roots[trace], trace in probed) for trace in wrong[: wording.MAX_EXAMPLES])
        + _more(len(wrong)),
        spans=tuple(sorted((s for s in ancestry.spans if s.trace_id in rootless), key=_key))
        or tuple(span for trace in wrong for span in roots[trace]),
        remedy="see that the trace context goes along with every call: a call without it begins a root of its own"
        if not rootless
        else FLUSH,
    )


def orphan_breach(ancestry: Ancestry) -> Breach | None:
    """Return the spans whose parent never arrived."""
    found = sorted((s for s, up in zip(ancestry.spans, ancestry.above, strict=True) if up == MISSING), key=_key)
    if not found:
        return None
    told = "; ".join(f"{wording.label(s)} names {s.parent_id}" for s in found[: wording.MAX_EXAMPLES])
    return Breach(
        found=f"{wording.plural(len(found), 'span')} whose parent never arrived: {told}{_more(len(found))}",
        spans=tuple(found),
        remedy=FLUSH,
    )


def connected_breach(ancestry: Ancestry) -> Breach | None:
    """Return the traces that fall apart: with several roots, or with spans that no root reaches."""
    reached = ancestry.inherit(lambda place: ancestry.above[place] in (NO_PARENT, OF_PROBE))
    roots: dict[str, list[Span]] = {}
    probed: set[str] = set()
    loose: dict[str, list[Span]] = {}
    for span, up in zip(ancestry.spans, ancestry.above, strict=True):
        own = roots.setdefault(span.trace_id, [])
        if up == NO_PARENT:
            own.append(span)
        elif up == OF_PROBE:
            probed.add(span.trace_id)
        elif up == MISSING or not reached[ancestry.link_of[up]]:
            loose.setdefault(span.trace_id, []).append(span)
    apart = sorted(t for t, own in roots.items() if len(own) + (t in probed) > 1 or t in loose)
    if not apart:
        return None
    told = []
    for trace in apart[: wording.MAX_EXAMPLES]:
        several = [_roots(trace, roots[trace], trace in probed)]
        lost = sorted(loose.get(trace, ()), key=_key)
        if lost:
            several.append(
                f"{wording.plural(len(lost), 'span')} that no root reaches, the first {wording.label(lost[0])}"
            )
        told.append(", ".join(several))
    return Breach(
        found=f"{wording.plural(len(apart), 'trace')} of {len(roots)} in several parts: {'; '.join(told)}"
        + _more(len(apart)),
        spans=tuple(
            span for trace in apart for span in sorted((*roots[trace], *loose.get(trace, ())), key=_key)
        ),
        remedy=FLUSH if any(up == MISSING for up in ancestry.above) else "",
    )  # fmt: skip


def depth_breach(ancestry: Ancestry, most: int) -> Breach | None:
    """Return the deepest chain where it is too deep, or why its depth is not known; the runner's spans do not count."""
    if ancestry.loops:
        told = loop_breach(ancestry, None)
        return Breach(found=f"a chain without an end: {told.found}", spans=told.spans) if told else None
    depth: list[int] = [0] * ancestry.links
    for knot in ancestry.order:
        of_service = ancestry.spans[ancestry.members[knot][0]].origin is Origin.SERVICE
        depth[ancestry.link_of[knot]] = of_service + max(
            (depth[ancestry.link_of[up]] for up in ancestry.ups(knot)), default=0
        )
    deepest = max(depth, default=0)
    if deepest > most:
        knot = min(
            (k for k in ancestry.order if depth[ancestry.link_of[k]] == deepest),
            key=lambda k: _key(_first(ancestry, k)),
        )
        chain = _chain(ancestry, knot, depth)
        return Breach(
            found=f"{deepest} of them: {_ends(chain)}",
            spans=tuple(chain[: wording.MAX_SPAN_IDS - 1]) + tuple(chain[wording.MAX_SPAN_IDS - 1 :][-1:]),
        )
    orphans = orphan_breach(ancestry)
    if orphans is None:
        return None
    return Breach(
        found=f"{deepest} of them, and how many more is not known: {orphans.found}",
        spans=orphans.spans, remedy=orphans.remedy,
    )  # fmt: skip


def _chain(ancestry: Ancestry, knot: int, depth: list[int]) -> list[Span]:
    """Return the service spans of the longest chain that ends at a knot, from the root down."""
    chain: list[Span] = []
    current: int | None = knot
    while current is not None:
        first = _first(ancestry, current)
        if first.origin is Origin.SERVICE:
            chain.append(first)
        ups = sorted(
            set(ancestry.ups(current)), key=lambda up: (-depth[ancestry.link_of[up]], _key(_first(ancestry, up)))
        )
        current = ups[0] if ups else None
    return chain[::-1]


def _first(ancestry: Ancestry, knot: int) -> Span:
    return min((ancestry.spans[place] for place in ancestry.members[knot]), key=_key)


def _ends(chain: list[Span]) -> str:
    names = [f'"{span.name}"' for span in chain]
    half = MAX_NAMES // 2
    return " > ".join(names if len(names) <= MAX_NAMES else (*names[:half], "…", *names[-half:]))


def _loop(ancestry: Ancestry, knots: list[int]) -> list[Span]:
    """Return the spans of one way round a loop, each before its child, from the first of them in time."""
    inside = set(knots)
    start = min(knots, key=lambda knot: _key(_first(ancestry, knot)))
    way, seen, current = [start], {start}, start
    while True:
        ups = sorted({up for up in ancestry.ups(current) if up in inside}, key=lambda up: _key(_first(ancestry, up)))
        current = ups[0]
        if current in seen:
            return [_first(ancestry, knot) for knot in (way[0], *way[:0:-1])]
        way.append(current)
        seen.add(current)


def _closed(spans: list[Span]) -> list[Span]:
    return [*spans[: MAX_NAMES - 1], spans[0]]


def _roots(trace: str, roots: Iterable[Span], probed: bool) -> str:
    own = sorted(roots, key=_key)
    number = len(own) + probed
    named = ", ".join(f'"{span.name}"' for span in own[: wording.MAX_EXAMPLES])
    return f"trace {trace} has {wording.plural(number, 'root')}" + (f" ({named})" if own else "")


def _key(span: Span) -> tuple[int, str, str, str, str]:
    return (span.start_ns, span.trace_id, span.span_id, span.name, span.service)


def _more(number: int) -> str:
    more = number - wording.MAX_EXAMPLES
    return f"; and {more} more" if more > 0 else ""

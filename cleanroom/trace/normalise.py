"""A trace with everything taken out that may differ between two runs that did the same (design section 7)."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter, lt

from cleanroom.canonical import Json
from cleanroom.garbage import uncollected
from cleanroom.trace.forest import ROOT, EncodedSpans, NormalisedSpan, arrange, children_under, downwards
from cleanroom.trace.model import Origin, Span, Trace, place_of
from cleanroom.trace.rules import RUNNER_SKIPPED, NormaliseOptions, Siblings, matches, rule_set_id
from cleanroom.trace.span_text import SpanTexts

_ID = attrgetter("trace_id", "span_id")
MISSING = "its parent is missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class NormalisedTrace:
    """The spans of one iteration in canonical pre-order under one rule set."""

    rule_set: str
    siblings: Siblings = "unordered"
    spans: Sequence[NormalisedSpan] = ()
    left_out: int = 0
    """How many spans of services the rule of `drop_spans` took away; in no digest."""

    def to_json(self) -> Json:
        """Return the trace as JSON: spans in pre-order, each with its depth (flat: a trace may be deeper than JSON)."""
        return {
            "rule_set": self.rule_set,
            "siblings": self.siblings,
            "spans": [{"depth": span.depth, **span.fields} for span in self.spans],
        }


def normalise(trace: Trace, options: NormaliseOptions) -> NormalisedTrace:
    """Return the normal form of `trace`; equal forms mean equal behaviour, as far as spans tell.

    Spans of other traces than the iteration's become roots of their own; a span whose parent is missing, or whose
    parents form a cycle, is a root that says so. Raises `SpecError` for a broken pattern of `options.replace`.
    """
    with uncollected():
        left_out = _LeftOut(trace, options)
        kept = _kept(trace, options, left_out)
        parents, detached = _structure(kept, trace, left_out)
        names, heads, tails = SpanTexts(trace, options).columns(kept, detached)
        own = None
        if options.siblings == "by_start":
            own = {index for index, span in enumerate(kept) if span.origin is Origin.RUNNER}
        children = children_under(parents)
        del parents
        order, depths = arrange(children, names, heads, tails, own)
        spans = EncodedSpans(depths, [heads[i] for i in order], [tails[i] for i in order])
    return NormalisedTrace(
        rule_set=rule_set_id(options),
        siblings=options.siblings,
        spans=spans,
        left_out=sum(left_out.by_spec(span) for span in trace.spans) if left_out.names else 0,
    )


class _LeftOut:
    """Which spans do not count, and who is the parent of what is below them."""

    def __init__(self, trace: Trace, options: NormaliseOptions) -> None:
        self._find = trace.find
        self._issued = options.excluded_traces
        self._above: dict[tuple[str, str], str] = {}
        globs = options.drop_spans
        every = {span.name for span in trace.spans if span.origin is Origin.SERVICE} if globs else set()
        self.names = frozenset(name for name in every if matches(name, globs))

    def __call__(self, span: Span) -> bool:
        """Whether the span is left out by a rule: a retry of the runner, or one that the spec names."""
        if span.origin is Origin.RUNNER:
            return span.name in RUNNER_SKIPPED
        return span.name in self.names

    def by_spec(self, span: Span) -> bool:
        """Whether the spec's own rule leaves out a span that would count otherwise."""
        return span.origin is Origin.SERVICE and span.name in self.names and span.trace_id not in self._issued

    def parent_id(self, span: Span) -> str:
        """Return the id of the nearest ancestor that counts; a chain is walked once, a circle ends where it began."""
        way: list[tuple[str, str]] = []
        key = (span.trace_id, span.parent_id)
        seen: set[tuple[str, str]] = set()
        while key not in self._above:
            parent = self._find(*key)
            if parent is None or key in seen or not self(parent):
                self._above[key] = key[1]
                break
            seen.add(key)
            way.append(key)
            key = (parent.trace_id, parent.parent_id)
        found = self._above[key]
        self._above.update(dict.fromkeys(way, found))
        return found


def _kept(trace: Trace, options: NormaliseOptions, left_out: _LeftOut) -> Sequence[Span]:
    """Return the spans that count, in order of start: no issued trace, no second delivery, none that is left out."""
    issued, names, runner = options.excluded_traces, left_out.names, Origin.RUNNER
    counted = [
        span
        for span in trace.spans
        if span.trace_id not in issued and span.name not in (RUNNER_SKIPPED if span.origin is runner else names)
    ]
    if trace.unique:
        return trace.spans if len(counted) == len(trace.spans) else counted
    deliveries = Counter((span.trace_id, span.span_id) for span in counted)
    counted.sort(key=place_of(counted))
    kept: list[Span] = []
    seen: set[str] = set()
    for span in counted:
        if deliveries[span.trace_id, span.span_id] > 1:
            content = repr(span)  # attributes are mappings, so a span has no hash
            if content in seen:
                continue
            seen.add(content)
        kept.append(span)
    return kept


def _structure(kept: Sequence[Span], trace: Trace, left_out: _LeftOut) -> tuple[Sequence[int], dict[int, str]]:
    """Return (each span's parent by index, index → why a root is not where it claims to be)."""
    detached: dict[int, str] = {}
    parents: Sequence[int]
    if trace.unique and len(kept) == len(trace.spans):
        parents = trace.above
        detached = {index: MISSING for index, up in enumerate(parents) if up == ROOT and kept[index].parent_id}
        if all(map(lt, parents, range(len(parents)))):
            return parents, detached  # a way that only leads backwards does not lead round
    else:
        parents = _parents(kept, trace, left_out, detached)
    parents = array("q", parents)
    reached = downwards(children_under(parents))
    if len(reached) < len(kept):
        for index in sorted(set(range(len(kept))) - set(reached)):
            # A cycle of parents and what hangs on it, out of reach of any root. Flat, so that nothing vanishes.
            detached[index] = "its parents form a cycle"
            parents[index] = ROOT
    return parents, detached


def _parents(kept: Sequence[Span], trace: Trace, left_out: _LeftOut, detached: dict[int, str]) -> list[int]:
    """Return each span's parent by index where spans are left out or have one id; note in `detached` what lost its."""
    places = range(len(kept) - 1, -1, -1)  # of several spans with one id the first is the parent
    first = dict(zip(map(_ID, reversed(kept)), places, strict=True))
    hops = len(kept) < len(trace.spans)  # otherwise nothing was left out that could stand between
    parents: list[int] = []
    for index, span in enumerate(kept):
        parent_id = left_out.parent_id(span) if hops else span.parent_id
        parent = first.get((span.trace_id, parent_id), ROOT) if parent_id else ROOT
        if parent_id and parent == ROOT:
            detached[index] = MISSING
        parents.append(parent)
    return parents

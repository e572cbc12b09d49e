"""A trace with everything taken out that may differ between two runs that did the same (design section 7)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from cleanroom.canonical import Json, canonical_bytes
from cleanroom.trace.forest import ROOT, NormalisedSpan, canonical_order, preorder
from cleanroom.trace.model import Attributes, Origin, Span, SpanLink, Trace
from cleanroom.trace.rules import RUNNER_ATTRIBUTES, RUNNER_SKIPPED, NormaliseOptions, Siblings, rule_set_id
from cleanroom.trace.scrub import Scrubber, as_json


@dataclass(frozen=True, slots=True, kw_only=True)
class NormalisedTrace:
    """The spans of one iteration in canonical pre-order under one rule set."""

    rule_set: str
    siblings: Siblings = "unordered"
    spans: tuple[NormalisedSpan, ...] = ()

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
    kept = _kept(trace, options)
    children, detached = _structure(kept, trace)
    scrub = Scrubber(options, trace.spans)
    depth = {ROOT: -1}
    flat: list[NormalisedSpan] = []
    parent_of = {child: parent for parent, found in children.items() for child in found}
    for index in preorder(children):
        depth[index] = depth[parent_of[index]] + 1
        fields = _fields(kept[index], scrub, trace)
        if index in detached:
            fields["detached"] = detached[index]
        flat.append(NormalisedSpan(depth=depth[index], fields=fields))
    return NormalisedTrace(
        rule_set=rule_set_id(options),
        siblings=options.siblings,
        spans=canonical_order(flat, options.siblings),
    )


def _kept(trace: Trace, options: NormaliseOptions) -> list[Span]:
    """Return the spans that count, in order of start: no issued trace, no second delivery, no retry of the runner."""
    counted = [span for span in trace.spans if span.trace_id not in options.excluded_traces and not _skipped(span)]
    deliveries = Counter((span.trace_id, span.span_id) for span in counted)
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


def _skipped(span: Span) -> bool:
    return span.origin is Origin.RUNNER and span.name in RUNNER_SKIPPED


def _structure(kept: list[Span], trace: Trace) -> tuple[dict[int, list[int]], dict[int, str]]:
    """Return (parent index → child indexes, index → why a root is not where it claims to be)."""
    first: dict[tuple[str, str], int] = {}
    for index, span in enumerate(kept):
        first.setdefault((span.trace_id, span.span_id), index)
    children: dict[int, list[int]] = {index: [] for index in range(ROOT, len(kept))}
    detached: dict[int, str] = {}
    for index, span in enumerate(kept):
        parent_id = _parent_id(span, trace)
        parent = first.get((span.trace_id, parent_id), ROOT) if parent_id else ROOT
        if parent_id and parent == ROOT:
            detached[index] = "its parent is missing"
        children[parent].append(index)
    for index in sorted(set(range(len(kept))) - set(preorder(children))):
        # Unreachable from any root: a cycle of parents and what hangs on it. Counted flat, so that nothing vanishes.
        detached[index] = "its parents form a cycle"
        children[index] = []
        children[ROOT].append(index)
    return children, detached


def _parent_id(span: Span, trace: Trace) -> str:
    """Return the id of the nearest ancestor that is not skipped; attempts are not nested, so a few hops suffice."""
    parent_id = span.parent_id
    for _ in range(8):
        parent = trace.by_id.get((span.trace_id, parent_id))
        if parent is None or not _skipped(parent):
            break
        parent_id = parent.parent_id
    return parent_id


def _fields(span: Span, scrub: Scrubber, trace: Trace) -> dict[str, Json]:
    if span.origin is Origin.RUNNER:
        return _runner_fields(span)
    scope: dict[str, Json] = {"name": scrub.text(span.scope.name), "version": span.scope.version}
    fields: dict[str, Json] = {
        "name": scrub.text(span.name),
        "origin": span.origin.value,
        "service": scrub.text(span.service),
        "kind": span.kind.value,
        "status": span.status.value,
        "status_message": scrub.text(span.status_message),
        "scope": _with_content(scope, attributes=scrub.attributes(span.scope.attributes, span.kind)),
        "resource": scrub.attributes(span.resource.attributes, span.kind),
        "attributes": scrub.attributes(span.attributes, span.kind),
        "events": [
            {"name": scrub.text(event.name), "attributes": scrub.attributes(event.attributes, span.kind)}
            for event in span.events
        ],
        "links": _sorted(_link(link, span, scrub, trace) for link in span.links),
    }
    dropped: dict[str, Json] = {
        "attributes": span.dropped_attributes,
        "events": span.dropped_events,
        "links": span.dropped_links,
    }
    return _with_content(
        fields,
        trace_state=[member.partition("=")[0].strip() for member in span.trace_state.split(",") if member.strip()],
        dropped={what: count for what, count in dropped.items() if count},
    )


def _runner_fields(span: Span) -> dict[str, Json]:
    """Return name, status, event names and the allowed attributes; messages and events' attributes are measured."""
    names = next((names for start, names in RUNNER_ATTRIBUTES.items() if span.name.startswith(start)), ())
    return {
        "name": span.name,
        "origin": span.origin.value,
        "service": "",
        "kind": span.kind.value,
        "status": span.status.value,
        "attributes": _plain(span.attributes, names),
        "events": [{"name": event.name} for event in span.events],
    }


def _plain(attributes: Attributes, names: tuple[str, ...]) -> dict[str, Json]:
    return {name: as_json(attributes[name], str) for name in sorted(names) if name in attributes}


def _link(link: SpanLink, span: Span, scrub: Scrubber, trace: Trace) -> Json:
    """Return whither a link points, as far as that does not depend on ids."""
    target = trace.by_id.get((link.trace_id, link.span_id))
    if target is not None:
        role = f"{scrub.text(target.service)}: {scrub.text(target.name)}"
    else:
        role = "same trace" if link.trace_id == span.trace_id else "another trace"
    return {"to": role, "attributes": scrub.attributes(link.attributes, span.kind)}


def _sorted(values: Iterable[Json]) -> list[Json]:
    return sorted(values, key=canonical_bytes)


def _with_content(fields: dict[str, Json], **more: Json) -> dict[str, Json]:
    fields.update({name: value for name, value in more.items() if value})
    return fields

"""What makes no difference to a digest, and what always does, over any trace (spec.md section 7)."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans

from cleanroom.trace.decode import decode_traces, encode_jsonl
from cleanroom.trace.digest import trace_digest
from cleanroom.trace.model import Origin, Resource, Scope, SpanEvent, SpanKind, SpanLink, StatusCode, Trace
from cleanroom.trace.normalise import normalise
from cleanroom.trace.rules import NormaliseOptions
from cleanroom.trace.span_text import in_bucket
from tests.unit.trace.otlp import requests
from tests.unit.trace.spans import forests, span

PROTOBUF, JSON = "application/x-protobuf", "application/json"
ROLES = {"10.213.0.10": "<db>", "ab12cd34ef56": "<api>"}


# Whole requests take a while to draw, and longer on a machine that does other things.
CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def digest_of(spans, **options):
    return trace_digest(normalise(Trace.of(spans), NormaliseOptions(roles=ROLES, **options)))


def decoded(*bodies, content_type=PROTOBUF):
    return [found for body in bodies for found in decode_traces(body, content_type, Origin.SERVICE)]


def alone(request):
    """A request for each span of a request."""
    return [
        ExportTraceServiceRequest(
            resource_spans=[
                ResourceSpans(resource=group.resource, scope_spans=[ScopeSpans(scope=scoped.scope, spans=[one])])
            ]
        ).SerializeToString()
        for group in request.resource_spans
        for scoped in group.scope_spans
        for one in scoped.spans
    ]


@CALM
@given(requests, st.randoms(use_true_random=False))
def test_how_spans_are_batched_makes_no_difference(request, random):
    whole = digest_of(decoded(request.SerializeToString()))
    parts = alone(request)
    random.shuffle(parts)
    assert digest_of(decoded(*parts)) == whole
    merged = ExportTraceServiceRequest()
    for part in parts:
        merged.MergeFromString(part)
    assert digest_of(decoded(merged.SerializeToString())) == whole
    assert digest_of(decoded(*parts, *parts)) == whole


@CALM
@given(requests)
def test_the_encoding_of_a_request_makes_no_difference(request):
    body = request.SerializeToString()
    assert digest_of(decoded(encode_jsonl(body, PROTOBUF).encode(), content_type=JSON)) == digest_of(decoded(body))


@CALM
@given(requests, st.randoms(use_true_random=False))
def test_the_order_of_attributes_makes_no_difference(request, random):
    spans = decoded(request.SerializeToString())
    # Which of two spans with one id counts as the parent is decided by all that they hold, its order included.
    assume(len({s.span_id for s in spans}) == len(spans))
    whole = digest_of(spans)
    for group in request.resource_spans:
        for holder in (group.resource, *(s for scoped in group.scope_spans for s in (scoped.scope, *scoped.spans))):
            pairs = list(holder.attributes)
            random.shuffle(pairs)
            del holder.attributes[:]
            holder.attributes.extend(pairs)
    assert digest_of(decoded(request.SerializeToString())) == whole


def raw(value):
    """The attribute value that a normalised one stands for."""
    if isinstance(value, dict):
        ((kind, inner),) = value.items()
        return int(inner) if kind == "int" else inner
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


@given(forests())
def test_the_normal_form_of_a_normal_form_is_itself(spans):
    noisy = [
        replace(s, name=f"{s.name} at 10.213.0.10:50000", attributes={**s.attributes, "id": s.span_id, "thread.id": 1})
        for s in spans
    ]
    normal = normalise(Trace.of(noisy), NormaliseOptions(roles=ROLES))
    above, again = [0], []
    for number, found in enumerate(normal.spans, start=1):
        del above[found.depth + 1 :]
        fields = found.fields
        again.append(
            span(
                fields["name"],
                number,
                above[-1],
                kind=SpanKind(fields["kind"]),
                status=StatusCode(fields["status"]),
                attributes={name: raw(value) for name, value in fields["attributes"].items()},
                resource=Resource(attributes={name: raw(value) for name, value in fields["resource"].items()}),
            )
        )
        above.append(number)
    assert digest_of(again) == trace_digest(normal) == digest_of(noisy)


def fresh_id(spans):
    return f"{len(spans) + 1:016x}"


MUTATIONS = {
    "a span is lost": lambda _, __: [],
    "a span comes twice": lambda s, spans: [s, replace(s, span_id=fresh_id(spans))],
    "an undeclared span comes": lambda s, spans: [s, span("new", len(spans) + 1)],
    "renamed": lambda s, _: [replace(s, name=f"{s.name}!")],
    "detached": lambda s, _: [replace(s, parent_id="ff" * 8)],
    "another kind": lambda s, _: [replace(s, kind=SpanKind.CONSUMER)],
    "another status": lambda s, _: [
        replace(s, status=StatusCode.OK if s.status is StatusCode.ERROR else StatusCode.ERROR, status_message="!")
    ],
    "one attribute more": lambda s, _: [replace(s, attributes={**s.attributes, "more": 1})],
    "another type": lambda s, _: [replace(s, attributes={**s.attributes, "a": ("x",)})],
    "another service": lambda s, _: [replace(s, resource=Resource(attributes={"service.name": "other"}))],
    "another scope": lambda s, _: [replace(s, scope=Scope(name="other"))],
    "an error event": lambda s, _: [replace(s, events=(SpanEvent(name="exception", time_ns=0),))],
    "a link": lambda s, _: [replace(s, links=(SpanLink(trace_id="ee" * 16, span_id="ee" * 8),))],
    "dropped attributes": lambda s, _: [replace(s, dropped_attributes=1)],
}


@settings(max_examples=200, deadline=None)
@given(forests().filter(bool), st.sampled_from(sorted(MUTATIONS)), st.data())
def test_every_semantic_mutation_changes_the_digest(spans, mutation, data):
    at = data.draw(st.integers(0, len(spans) - 1))
    changed = [*spans[:at], *MUTATIONS[mutation](spans[at], spans), *spans[at + 1 :]]
    assert digest_of(changed) != digest_of(spans)


@given(forests().filter(bool), st.data())
def test_another_parent_at_another_depth_changes_the_digest(spans, data):
    moved = data.draw(st.sampled_from(spans))
    below = replace(moved, parent_id=fresh_id(spans))
    there = [span("new", len(spans) + 1), *spans]
    assert digest_of([span("new", len(spans) + 1), *(below if s is moved else s for s in spans)]) != digest_of(there)


@given(st.integers(-(10**12), 10**12), st.integers(1, 10**10))
def test_every_duration_lies_in_its_step(duration, bucket):
    low, high = (int(bound.rstrip("mnus")) for bound in in_bucket(duration, bucket).split(".."))
    unit = bucket // (high - low)
    assert low * unit <= duration < high * unit
    assert low * unit % bucket == 0


@given(forests(), st.integers(0, 10**9), st.integers(1, 10**6))
def test_in_steps_a_shifted_clock_makes_no_difference_and_another_duration_does(spans, shift, bucket):
    moved = [replace(s, start_ns=s.start_ns + shift, end_ns=s.end_ns + shift) for s in spans]
    assert digest_of(spans, bucket_ns=bucket) == digest_of(moved, bucket_ns=bucket)
    slower = [replace(s, end_ns=s.end_ns + bucket) for s in spans]
    assert (digest_of(spans, bucket_ns=bucket) == digest_of(slower, bucket_ns=bucket)) is (not spans)
    assert digest_of(spans) == digest_of(slower)


def test_a_chain_a_hundred_thousand_deep_has_a_digest():
    chain = [span("s", number, number - 1) for number in range(1, 100_001)]
    found = normalise(Trace.of(chain), NormaliseOptions())
    assert found.spans[-1].depth == 99_999
    assert trace_digest(found)


def test_many_equal_children_have_a_digest_that_tells_their_number():
    star = [span("s", number, 1 if number > 1 else 0) for number in range(1, 5001)]
    assert normalise(Trace.of(star), NormaliseOptions()).spans[-1].depth == 1
    assert digest_of(star) != digest_of(star[:-1])

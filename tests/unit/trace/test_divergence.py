from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.trace.digest import trace_digest
from cleanroom.trace.divergence import first_divergence
from cleanroom.trace.model import Origin, Resource, SpanEvent, StatusCode, Trace
from cleanroom.trace.normalise import NormaliseOptions, normalise
from tests.unit.trace.spans import forests, runner, span, system

INSERT = "cleanroom.iteration > cleanroom.step:place > POST /orders > INSERT orders"


def run(*spans, **options):
    return normalise(Trace.of(spans), NormaliseOptions(**options))


def changed(victim, /, **change):
    """The small system's trace, with one span changed."""
    return run(*(replace(s, **change) if s.name == victim else s for s in system().spans))


def test_equal_runs_do_not_diverge():
    assert first_divergence([normalise(system(), NormaliseOptions())] * 5) is None


def test_a_random_attribute_is_named_by_span_path_and_attribute_with_the_rule_that_helps():
    traces = [system(**{"order.id": value}) for value in (17, 99, 3, 41, 58)]
    runs = [normalise(trace, NormaliseOptions()) for trace in traces]
    assert len({trace_digest(each) for each in runs}) == 5
    found = first_divergence(runs)
    assert (found.left, found.right, found.path, found.attribute) == (0, 1, INSERT, "attributes.order.id")
    assert (found.left_value, found.right_value, found.classification) == ("17", "99", "value")
    assert found.proposal == "drop: [order.id]"
    helped = [normalise(trace, NormaliseOptions(drop=("order.id",))) for trace in traces]
    assert len({trace_digest(each) for each in helped}) == 1


def test_the_first_run_that_differs_is_named():
    same, other = changed("none"), changed("SELECT stock", attributes={"k": 1})
    assert first_divergence([same, same, same, other, same]).right == 3


def test_a_random_attribute_on_many_siblings_is_a_value_and_never_a_missing_span():
    def siblings(salt):
        calls = [span("INSERT", n, 1, attributes={"op": n % 7, "id": salt * n * n % 9973}) for n in range(2, 60)]
        return run(span("root", 1), *calls)

    found = first_divergence([siblings(17), siblings(2003)])
    assert (found.path, found.attribute, found.classification) == ("root > INSERT", "attributes.id", "value")
    assert found.proposal == "drop: [id]"


def test_noise_on_several_spans_is_proposed_as_one_rule():
    def noisy(n):
        event = SpanEvent(name="e", time_ns=0, attributes={"event.nonce": n})
        return run(span("a", 1, attributes={"x": n, "y": n}), span("b", 2, resource=Resource(attributes={"r": n})),
                   span("c", 3, events=(event,)))  # fmt: skip

    assert first_divergence([noisy(1), noisy(2)]).proposal == "drop: [event.nonce, r, x, y]"


def test_a_name_that_reads_as_a_glob_is_proposed_literally():
    traces = [Trace.of([span("s", 1, attributes={"a[*]: b": n, "a[x]: b": 0})]) for n in (1, 2)]
    proposal = first_divergence([normalise(t, NormaliseOptions()) for t in traces]).proposal
    assert proposal == 'drop: ["a[[][*]]: b"]'
    one, other = (normalise(t, NormaliseOptions(drop=("a[[][*]]: b",))) for t in traces)
    assert one == other
    assert one.spans[0].fields["attributes"] == {"a[x]: b": {"int": "0"}}


@pytest.mark.parametrize(
    ("change", "attribute", "left", "right"),
    [
        ({"attributes": {"http.response.status_code": 500}}, "attributes.http.response.status_code", "201", "500"),
        ({"attributes": {}}, "attributes.http.response.status_code", "201", "(absent)"),
        (
            {"attributes": {"http.response.status_code": "201"}},
            "attributes.http.response.status_code",
            '{"int": "201"}',
            '"201"',
        ),
        ({"status_message": "late"}, "status_message", "", "late"),
        ({"events": (SpanEvent(name="e", time_ns=0),)}, "events[0].name", "(absent)", "e"),
        ({"dropped_events": 2}, "dropped.events", "(absent)", "2"),
    ],
)
def test_what_the_system_did_is_named_and_never_proposed_away(change, attribute, left, right):
    found = first_divergence([changed("none"), changed("POST /orders", **change)])
    assert (found.attribute, found.left_value, found.right_value) == (attribute, left, right)
    assert found.path.endswith("POST /orders")
    assert found.classification == "value"
    assert found.proposal == ""


def test_a_status_is_its_own_class():
    found = first_divergence([changed("none"), changed("INSERT orders", status=StatusCode.ERROR)])
    assert (found.path, found.attribute, found.classification) == (INSERT, "status", "status")
    assert (found.left_value, found.right_value) == ("unset", "error")


def test_a_span_with_another_name_is_the_same_span():
    found = first_divergence([changed("none"), changed("INSERT orders", name="INSERT orders_7")])
    assert (found.path, found.attribute, found.left_value, found.right_value) == (
        INSERT,
        "name",
        "INSERT orders",
        "INSERT orders_7",
    )


def test_missing_and_extra_spans():
    whole, part = run(*system().spans), run(*system().spans[:-1])
    missing, extra = first_divergence([whole, part]), first_divergence([part, whole])
    assert (missing.path, missing.classification, missing.right_value) == (INSERT, "missing span", "(absent)")
    assert (extra.path, extra.classification, extra.left_value) == (INSERT, "extra span", "(absent)")
    assert missing.proposal == extra.proposal == ""


def test_the_span_that_is_missing_among_alike_ones_is_found_by_its_content():
    calls = [span("INSERT", n, 1, attributes={"op": n}) for n in range(2, 6)]
    found = first_divergence([run(span("r", 1), *calls), run(span("r", 1), *calls[:2], *calls[3:])])
    assert found.classification == "missing span"


def test_an_order_is_named_and_unordered_proposed():
    one = run(span("p", 1), span("a", 2, 1), span("b", 3, 1), siblings="by_start")
    other = run(span("p", 1), span("b", 2, 1), span("a", 3, 1), siblings="by_start")
    found = first_divergence([one, other])
    assert (found.path, found.classification) == ("p > a", "order")
    assert (found.left_value, found.right_value, found.proposal) == ("a", "b", "siblings: unordered")


def test_nothing_is_proposed_where_it_would_not_make_all_runs_equal():
    one, two = (run(span("s", 1, attributes={"id": n})) for n in (1, 2))
    three = run(span("s", 1, attributes={"id": 3}), span("t", 2))
    assert first_divergence([one, two]).proposal == "drop: [id]"
    assert first_divergence([one, two, three]).proposal == ""


def test_a_difference_of_the_runners_own_spans_is_never_proposed_away():
    one, other = (run(runner("cleanroom.step:a", 1, attributes={"exit_code": n, "type": "exec"})) for n in (0, 1))
    found = first_divergence([one, other])
    assert (found.path, found.attribute, found.proposal) == ("cleanroom.step:a", "attributes.exit_code", "")


def test_who_sent_a_span_is_part_of_it():
    sent = span("x", 1, resource=Resource())
    found = first_divergence([run(sent), run(replace(sent, origin=Origin.RUNNER))])
    assert found.classification == "missing span"


def test_different_rule_sets_are_not_comparable():
    with pytest.raises(ValueError, match="not comparable"):
        first_divergence([run(span("s", 1)), run(span("s", 1), drop=("x",))])


@given(forests(6), forests(6), st.sampled_from(["unordered", "by_start"]))
def test_a_divergence_is_found_exactly_when_the_digests_differ(one, other, siblings):
    runs = [run(*one, siblings=siblings), run(*other, siblings=siblings)]
    assert (first_divergence(runs) is None) == (trace_digest(runs[0]) == trace_digest(runs[1]))


@given(forests(8), st.data())
def test_a_single_changed_attribute_is_always_found_as_that_attribute(spans, data):
    if not spans:
        spans = [span("s", 1)]
    victim = data.draw(st.sampled_from(spans))
    noisy = [replace(s, attributes={**s.attributes, "nonce": 1}) if s is victim else s for s in spans]
    noisier = [replace(s, attributes={**s.attributes, "nonce": 2}) if s is victim else s for s in spans]
    found = first_divergence([run(*noisy), run(*noisier)])
    assert (found.attribute, found.classification, found.proposal) == ("attributes.nonce", "value", "drop: [nonce]")
    assert found.path.split(" > ")[-1] == victim.name

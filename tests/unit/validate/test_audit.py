from __future__ import annotations

from dataclasses import replace

import pytest

from cleanroom.errors import UsageError
from cleanroom.validate.audit import audit_suite
from cleanroom.validate.proposal import merged, parse
from tests.unit.validate.builders import (
    SEC,
    expecting,
    iteration,
    otlp,
    own,
    plan,
    record,
    runner_spans,
    scenario,
    served,
    sid,
    span,
    suite,
    want,
)
from tests.unit.validate.recordings import HELLO, ROOT, hello, hello_iteration, quickstart

WEAK = """
expect:
  spans:
    - {name: "GET *"}
"""


def weakened(tmp_path, expect: str = WEAK):
    """The suite of examples/hello with another `expect`, and what was recorded of it."""
    text = HELLO.read_text(encoding="utf-8")
    (tmp_path / "service").mkdir(exist_ok=True)
    (tmp_path / "service" / "Dockerfile").touch()
    path = tmp_path / "hello.cleanroom.yaml"
    path.write_text(text[: text.index("\nexpect:")] + "\n" + expect, encoding="utf-8")
    return hello(path, tmp_path)


def audited(record, **kw):
    return audit_suite(record.plan, record.iterations, **kw)


def test_the_hello_example_catches_at_least_95_percent_of_the_mutants_of_its_recording():
    audit = audited(hello())
    assert audit.counted >= 20
    assert audit.score >= 95
    assert [one.mutant.detail for one in audit.survivors] == []


def test_the_quickstart_example_catches_at_least_95_percent_of_the_mutants_of_its_recording():
    audit = audited(quickstart())
    assert audit.counted >= 200
    assert {one.mutant.operator for one in audit.judged} >= {"enter-window", "leave-window", "swap-edges"}
    assert audit.score >= 95
    assert [one.mutant.detail for one in audit.survivors] == []


@pytest.mark.parametrize("mutants", [2, 5, 20])
def test_a_weak_spec_gets_a_low_score_and_proposals_that_raise_it_above_90(tmp_path, mutants):
    weak = audited(weakened(tmp_path), per_operator=mutants)
    assert weak.score < 35
    assert weak.score_with_proposals > 90
    ((scenario, proposal),) = weak.proposals
    assert scenario == "it says hello"
    # What is printed is a spec, and the spec has the score that was promised.
    stronger = audited(weakened(tmp_path, proposal.text), per_operator=mutants)
    assert stronger.counted == weak.counted
    assert stronger.score >= weak.score_with_proposals - 0.1
    assert stronger.score > 90


def test_every_proposal_is_valid_in_the_language_and_holds_on_what_was_recorded(tmp_path):
    audit = audited(weakened(tmp_path))
    proposals = [one.proposal for one in audit.survivors if one.proposal is not None]
    assert proposals
    assert all(parse(proposal.written) == proposal.expect for proposal in proposals)


def test_what_differs_from_iteration_to_iteration_is_never_proposed(tmp_path):
    record = weakened(tmp_path)
    noisy = replace(record, iterations=(hello_iteration(0), hello_iteration(1, code=204)))
    ((_, proposal),) = audited(noisy, per_operator=20).proposals
    assert "http.response.status_code: 200" not in proposal.text
    assert "http.route: /hello" in proposal.text


def test_a_mutant_of_the_same_normal_form_is_equivalent_and_does_not_count():
    audit = audited(hello())
    equivalent = {one.mutant.operator for one in audit.judged if one.equivalent}
    assert equivalent == {"stretch"}
    assert audit.counted == len(audit.judged) - len([one for one in audit.judged if one.equivalent])


def test_a_client_port_is_no_behaviour():
    audit = audited(hello(), per_operator=20)
    assert {one.equivalent for one in audit.judged if one.mutant.key == "client.port"} == {True}


def test_an_audit_is_the_same_every_time(tmp_path):
    one, other = audited(weakened(tmp_path)), audited(weakened(tmp_path))
    assert [(j.mutant.operator, j.mutant.detail, j.caught_by) for j in one.judged] == [
        (j.mutant.operator, j.mutant.detail, j.caught_by) for j in other.judged
    ]
    assert [p.text for _, p in one.proposals] == [p.text for _, p in other.proposals]


def test_what_the_suite_expects_of_a_whole_iteration_catches_as_well(tmp_path):
    audit = audited(weakened(tmp_path, "expect: {counts: {spans: 1}}"))
    assert {one.caught_by for one in audit.judged if one.mutant.operator == "add-span"} == {("counts spans",)}


def test_a_spec_that_does_not_hold_on_the_recording_is_not_audited(tmp_path):
    with pytest.raises(UsageError, match="does not hold on iteration 1 of the journal itself"):
        audited(weakened(tmp_path, "expect: {counts: {spans: 2}}"))


def test_a_recording_without_an_iteration_is_not_audited():
    with pytest.raises(UsageError, match="no iteration"):
        audit_suite(hello().plan, ())


def test_a_recording_of_no_spans_has_no_score(tmp_path):
    record = weakened(tmp_path, "expect: {counts: {spans: 0}}")
    silent = replace(record.iterations[0], scenarios=(replace(record.iterations[0].scenarios[0], payloads=()),))
    audit = audit_suite(record.plan, (silent,))
    assert (audit.score, audit.score_with_proposals, audit.judged) == (None, None, ())


def test_traffic_of_the_runners_own_is_not_mutated_and_its_amount_never_proposed(tmp_path):
    record = weakened(tmp_path)
    (scenario,) = record.iterations[0].scenarios
    probe = span(77, "GET /health", trace="b" * 32, service="hello", start=4 * SEC)
    with_probe = replace(scenario, payloads=(*scenario.payloads, otlp(probe)), noise_traces=("b" * 32,))
    audit = audit_suite(record.plan, (replace(record.iterations[0], scenarios=(with_probe,)),))
    assert audit.judged
    assert not any("/health" in one.mutant.path for one in audit.judged)
    ((_, proposal),) = audit.proposals
    assert proposal.written["counts"] == {"by_kind": {"internal": 0}}


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        (
            {"spans": [{"name": "a", "count": 1}]},
            {"spans": [{"name": "a", "status": "ok"}]},
            {"spans": [{"name": "a", "count": 1, "status": "ok"}]},
        ),
        (
            {"spans": [{"name": "a", "attributes": {"all": {"x": 1}}}]},
            {"spans": [{"name": "a", "attributes": {"all": {"y": 2}}}]},
            {"spans": [{"name": "a", "attributes": {"all": {"x": 1, "y": 2}}}]},
        ),
        (
            {"spans": [{"name": "a", "kind": "server", "count": 1}]},
            {"spans": [{"name": "a", "count": 2}]},
            {"spans": [{"name": "a", "kind": "server", "count": 1}, {"name": "a", "count": 2}]},
        ),
        ({"counts": {"spans": 1}}, {"counts": {"errors": 0}}, {"counts": {"spans": 1, "errors": 0}}),
        (
            {"graph": {"edges": [["a", "b"]]}},
            {"graph": {"edges": [["b", "c"]]}},
            {"graph": {"edges": [["a", "b"], ["b", "c"]]}},
        ),
        ({"spans": [{"name": "a", "status": "ok"}]}, {"spans": [{"name": "a", "status": {"in": ["ok"]}}]}, None),
        ({"counts": {"spans": 1}}, {"counts": {"spans": True}}, None),
        (
            {"spans": [{"name": "a", "status": {"in": ["ok"]}}]},
            {"spans": [{"name": "a", "status": {"in": ["unset"]}}]},
            None,
        ),
    ],
)
def test_proposals_become_one_block_that_says_all_of_them_or_none(one, other, both):
    assert merged([one, other]) == both


@pytest.mark.parametrize(
    "written",
    [
        {"spans": [{"nmae": "a"}]},
        {"counts": {"spans": "many"}},
        {"spans": [{"name": "{{ vars.x }}"}]},
    ],
)
def test_what_the_language_refuses_is_no_proposal(written):
    assert parse(written) is None


def test_the_recording_is_of_the_shipped_example():
    assert hello().plan.suite.file == HELLO.relative_to(ROOT).as_posix()


ORDERED = (
    served(10, start=4 * SEC, end=6 * SEC),
    span(11, "reserve", parent=10, start=4 * SEC + 1, end=4 * SEC + 5),
    span(12, "pay", parent=10, start=5 * SEC, end=5 * SEC + 5),
)


@pytest.mark.parametrize(("siblings", "equivalent"), [("unordered", True), ("by_start", False)])
def test_an_order_in_time_is_behaviour_where_the_spec_says_that_siblings_are_compared_by_start(siblings, equivalent):
    of = suite(scenario(expect=expecting(want("POST /orders"))))
    normalize = replace(of.determinism.normalize, siblings=siblings)
    of = replace(of, determinism=replace(of.determinism, normalize=normalize))
    audit = audit_suite(plan(of), (iteration(0, record(payloads=(otlp(*ORDERED),))),))
    assert {one.equivalent for one in audit.judged if one.mutant.operator == "swap-order"} == {equivalent}


def test_scenarios_that_share_an_environment_are_mutated_one_by_one():
    both = (otlp(served(10, start=SEC), span(20, "POST /refunds", parent=4, start=6 * SEC)),)
    runner = runner_spans(own(4, "cleanroom.scenario", parent=1, start=5 * SEC, end=9 * SEC))
    records = (
        record("order", payloads=both, shared=True),
        record("refund", payloads=both, shared=True, span_id=sid(4)),
    )
    of = suite(
        scenario("order", expect=expecting(want("POST /orders"))),
        scenario("refund", expect=expecting(want("POST /refunds"))),
        environment="suite",
    )
    audit = audit_suite(plan(of), (iteration(0, *records, runner=runner),))
    lost = {one.scenario: one.mutant.path for one in audit.judged if one.mutant.operator == "drop-span"}
    assert {name: path.rpartition(" > ")[2] for name, path in lost.items()} == {
        "order": "POST /orders",
        "refund": "POST /refunds",
    }


def test_a_survivor_that_nothing_stable_would_catch_is_listed_without_a_proposal(tmp_path):
    weak = weakened(tmp_path)
    noisy = replace(weak, iterations=(hello_iteration(0), hello_iteration(1, code=204)))
    audit = audited(noisy, per_operator=20)
    bare = [(one.mutant.operator, one.mutant.key) for one in audit.survivors if one.proposal is None]
    assert ("change-attribute", "http.response.status_code") in bare
    assert audit.score_with_proposals == 100 * (audit.counted - len(bare)) / audit.counted

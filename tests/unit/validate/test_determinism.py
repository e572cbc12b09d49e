from __future__ import annotations

from dataclasses import replace

from cleanroom.spec.determinism import Determinism, Normalize
from cleanroom.trace.digest import trace_digest
from cleanroom.trace.model import Trace
from cleanroom.trace.normalise import NormaliseOptions, normalise
from cleanroom.validate.determinism import Run, judge_determinism
from cleanroom.validate.model import IterationDigests
from tests.unit.trace.spans import span


def run(index, facts=None, again=True, **attributes):
    trace = Trace.of([span("s", 1, attributes=attributes)])
    normalised = normalise(trace, NormaliseOptions())
    facts = facts or {}
    digest = trace_digest(normalised)
    return Run(
        index=index,
        digests=IterationDigests(
            digest=f"{digest}{facts}", trace=digest, schedule="", outcome=str(facts), rule_set=normalised.rule_set
        ),
        trace=normalised,
        facts=facts,
        again=(lambda rules: normalise(trace, rules.added_to(NormaliseOptions()))) if again else None,
    )


def finding(runs):
    check, divergence = judge_determinism(Determinism(), runs, len(runs))
    return check.findings[0], divergence


def test_the_remedy_is_the_rule_that_makes_the_iterations_equal():
    for again in (True, False):
        found, divergence = finding([run(n, n=n, again=again) for n in range(5)])
        assert divergence.proposal == "drop: [n]"
        assert found.remedy.endswith("normalize: {drop: [n]}")


def test_no_rule_is_offered_where_equal_traces_would_not_make_the_digests_equal():
    runs = [run(n, {("scenario a > step b", "exit_code"): str(n % 2)}, n=n) for n in range(5)]
    found, divergence = finding(runs)
    assert (divergence.attribute, divergence.proposal, divergence.rules) == ("attributes.n", "", None)
    assert "scenario a > step b, exit_code, differs as well" in found.remedy


def test_what_a_step_came_to_is_never_normalised():
    found, divergence = finding([run(n, {("scenario a > step b", "exit_code"): str(n)}) for n in range(2)])
    assert (divergence.classification, divergence.path) == ("step", "scenario a > step b")
    assert "no noise" in found.remedy


def test_a_rule_that_leaves_no_span_of_a_service_leaves_nothing_to_compare():
    def emptied(index):
        trace = Trace.of([span("s", 1)])
        normalised = normalise(trace, NormaliseOptions(drop_spans=("*",)))
        return replace(run(index), trace=normalised)

    wanted = Determinism(normalize=Normalize(drop_spans=("*",)))
    check, divergence = judge_determinism(wanted, [emptied(0), emptied(1)], 2)
    assert divergence is None
    assert check.inconclusive == "drop_spans: [*] leaves no span of a service in iteration 1: nothing was compared"
    assert judge_determinism(wanted, [run(0), run(1)], 2)[0].inconclusive == ""

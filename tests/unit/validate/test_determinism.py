from __future__ import annotations

from dataclasses import replace

from cleanroom.spec.determinism import Determinism, Normalize
from cleanroom.trace.digest import trace_digest
from cleanroom.trace.model import Trace
from cleanroom.trace.normalise import NormaliseOptions, normalise
from cleanroom.validate.determinism import Run, Varied, blames, judge_determinism
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


ZONE, HOST = ("timezone", "timezone Asia/Kathmandu"), ("hostname", "hostname a=h1")


def test_the_nuisance_whose_iteration_alone_differs_is_blamed():
    runs = [run(0, zone=0), run(1, zone=1), run(2, zone=0)]
    varied = {1: ZONE, 2: HOST}
    (blame,) = blames(Determinism(), runs, varied)
    assert (blame.nuisance, blame.iteration, blame.attribute, blame.sure) == ("timezone", 1, "attributes.zone", True)
    check, _ = judge_determinism(Determinism(), runs, 3, None, Varied(iterations=varied))
    assert "timezone broke equality: iteration 2 (timezone Asia/Kathmandu) differs at" in check.findings[0].found


def test_each_of_several_nuisances_is_blamed_for_its_own_place():
    runs = [run(0, a=0, b=0), run(1, a=1, b=0), run(2, a=0, b=1)]
    found = blames(Determinism(), runs, {1: ZONE, 2: HOST})
    assert [(b.nuisance, b.attribute, b.sure) for b in found] == [
        ("timezone", "attributes.a", True), ("hostname", "attributes.b", True),
    ]  # fmt: skip


def test_what_differs_without_the_nuisance_as_well_is_not_laid_at_its_door():
    runs = [run(n, n=n) for n in range(4)]
    found = blames(Determinism(), runs, {1: ZONE, 2: HOST})
    assert [b.sure for b in found] == [False, False]
    assert found[0].doubt == "iteration 3, 4 differs there as well, without it"


def test_one_nuisance_and_nothing_beside_it_is_no_proof():
    (blame,) = blames(Determinism(), [run(0, n=0), run(1, n=1)], {1: ZONE})
    assert (blame.sure, blame.doubt) == (False, "no iteration without it shows whether it would be the same")


def test_equal_iterations_whose_nuisance_was_not_there_prove_nothing():
    runs = [run(n) for n in range(3)]
    check, _ = judge_determinism(Determinism(), runs, 3, None, Varied(iterations={1: ZONE}, unshown="it was not there"))
    assert (check.inconclusive, check.findings) == ("it was not there", ())
    assert not judge_determinism(Determinism(), runs, 3, None, Varied(iterations={1: ZONE}))[0].inconclusive

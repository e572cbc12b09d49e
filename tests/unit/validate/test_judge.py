from __future__ import annotations

from dataclasses import replace

import pytest

from cleanroom.engine.ports import Inventory
from cleanroom.errors import ExitCode
from cleanroom.network.ports import Drop, Proof, Vector
from cleanroom.run.record import CleanupRecord, RecoveryRecord, ServiceRecord, SuiteRecord, Trouble
from cleanroom.spec.expect import HermeticityExpectation, OutcomeExpectation, StatusExpectation
from cleanroom.validate.fingerprint import roles
from cleanroom.validate.judge import judge_iteration, judge_session, judge_suite
from tests.unit.validate.builders import (
    AT,
    SEC,
    bitten,
    eq,
    event,
    expecting,
    fault,
    iteration,
    otlp,
    plan,
    record,
    rules,
    scenario,
    served,
    session,
    sid,
    span,
    step,
    suite,
    want,
)

GOOD = expecting(want("POST /orders", parent="cleanroom.step*"))
SLOW = fault()
NOBODY = record()
SERVED = record(payloads=(otlp(served()),))


def run(expect=GOOD, *records, **kw):
    """The verdict on a suite of one iteration of one scenario."""
    events = kw.pop("events", {})
    planned = plan(suite(scenario(expect=expect, **kw)), events=events)
    return judge_suite(SuiteRecord(plan=planned, iterations=(iteration(0, *(records or (SERVED,))),)))


def scenario_of(verdict):
    return verdict.iterations[0].scenarios[0]


def test_a_scenario_that_holds_is_a_pass():
    verdict = run()

    assert (verdict.verdict, verdict.exit_code, verdict.trouble) == ("pass", ExitCode.PASS, "")
    assert scenario_of(verdict).outcome == "passed"
    assert rules(scenario_of(verdict).checks) == []


def test_the_order_of_checks_is_that_of_the_spec_language():
    assert [c.name for c in scenario_of(run()).checks] == [
        'step "place"',
        'spans "POST /orders" count',
        'spans "POST /orders" parent',
        "telemetry is genuine",
        "telemetry could be decoded",
        "telemetry arrived in time",
        "network egress",
        "cleanup",
        "services stayed up",
    ]


def test_a_broken_expectation_is_a_failure():
    verdict = run(expecting(want("DELETE *")))

    assert (verdict.verdict, verdict.exit_code) == ("fail", ExitCode.FINDINGS)
    assert scenario_of(verdict).outcome == "failed"
    assert rules(scenario_of(verdict).checks) == ["spans.count"]


def test_no_service_span_at_all_is_missing_telemetry():
    verdict = run(GOOD, NOBODY)

    assert (verdict.verdict, verdict.exit_code) == ("error", ExitCode.TELEMETRY)


def test_a_warning_does_not_fail():
    assert run(expecting(want("DELETE *", level="warning"))).exit_code is ExitCode.PASS
    assert run(expecting(want("DELETE *", level="warning")), NOBODY).exit_code is ExitCode.PASS


def test_a_failed_step_fails_and_a_degraded_scenario_passes():
    failed = replace(SERVED, outcome="failed", steps=(step("place", "failed"),))
    degraded = replace(SERVED, outcome="degraded", steps=(step("place", "failed", optional=True),))

    assert run(GOOD, failed).exit_code is ExitCode.FINDINGS
    assert run(GOOD, degraded).exit_code is ExitCode.PASS
    assert scenario_of(run(GOOD, degraded)).outcome == "degraded"
    strict = expecting(outcome=OutcomeExpectation(outcome="passed", at=AT))
    assert run(strict, degraded).exit_code is ExitCode.FINDINGS


def test_a_wanted_failure_is_a_pass_and_its_absence_is_not():
    wanted = expecting(outcome=OutcomeExpectation(outcome="failed", at=AT))

    assert run(wanted, replace(SERVED, outcome="failed", steps=(step("place", "failed"),))).exit_code is ExitCode.PASS
    assert run(wanted, SERVED).exit_code is ExitCode.FINDINGS


@pytest.mark.parametrize("outcome", ["failed", "inconclusive", "error"])
def test_a_bad_outcome_of_the_run_is_never_a_pass(outcome):
    assert run(GOOD, replace(SERVED, outcome=outcome)).exit_code is not ExitCode.PASS


def test_a_fault_without_evidence_is_inconclusive_unless_allowed():
    unverified = replace(SERVED, outcome="inconclusive", faults=(bitten(SLOW, verified=False),))
    lenient = replace(SLOW, allow_inconclusive="no netem")

    assert run(GOOD, unverified, chaos=(SLOW,), events={"order": (event(SLOW),)}).exit_code is ExitCode.INCONCLUSIVE
    assert run(GOOD, unverified, chaos=(lenient,), events={"order": (event(lenient),)}).exit_code is ExitCode.PASS
    leave = run(GOOD, unverified, chaos=(SLOW,), allow_inconclusive="known", events={"order": (event(SLOW),)})
    assert leave.exit_code is ExitCode.PASS
    assert [c.allowed for c in scenario_of(leave).checks if c.inconclusive] == ["known"]
    assert not any(c.allowed for c in scenario_of(leave).checks if not c.inconclusive)


def test_a_finding_outranks_what_could_not_be_judged():
    unverified = replace(SERVED, faults=(bitten(SLOW, verified=False),))

    verdict = run(expecting(want("DELETE *")), unverified, chaos=(SLOW,), events={"order": (event(SLOW),)})

    assert verdict.exit_code is ExitCode.FINDINGS


def test_an_expectation_during_a_fault_that_was_not_drawn_is_inconclusive():
    verdict = run(expecting(want("POST *", during="slow", count=eq(0))), events={"order": (event(SLOW, drawn=False),)})

    assert verdict.exit_code is ExitCode.INCONCLUSIVE


def test_a_fault_that_was_not_taken_back_is_engine_trouble():
    stuck = replace(SERVED, faults=(bitten(SLOW, reverted=False, reason="busy"),))

    verdict = run(GOOD, stuck, chaos=(SLOW,), events={"order": (event(SLOW),)})

    assert (verdict.verdict, verdict.exit_code) == ("error", ExitCode.ENGINE)
    assert "slow (network.latency): busy" in verdict.trouble
    assert scenario_of(verdict).outcome == "error"
    assert rules(scenario_of(verdict).checks) == ["fault.reverted"]


def test_a_service_that_never_came_back_is_a_finding():
    dead = bitten(SLOW, recovery=RecoveryRecord(strategy="start", duration_ns=SEC, success=False))

    verdict = run(GOOD, replace(SERVED, faults=(dead,)), chaos=(SLOW,), events={"order": (event(SLOW),)})

    assert rules(scenario_of(verdict).checks) == ["fault.recovery"]


@pytest.mark.parametrize(("exit_code", "expected"), [(4, 4), (5, 5), (130, 130), (0, 4), (99, 4)])
def test_trouble_outranks_findings(exit_code, expected):
    troubled = replace(NOBODY, outcome="error", steps=(), trouble=Trouble(exit_code=exit_code, message="it broke"))

    verdict = run(expecting(want("POST *")), troubled)

    assert (verdict.exit_code, verdict.trouble, verdict.digest) == (expected, "it broke", "")


def test_a_forged_span_is_always_a_finding():
    forged = record(payloads=(otlp(served(), span(50, "cleanroom.step:place")),))

    assert rules(scenario_of(run(GOOD, forged)).checks) == ["telemetry.forged"]


def test_what_cannot_be_decoded_is_always_a_finding():
    garbled = record(payloads=(otlp(served()), replace(otlp(served()), body=b"\xff")))

    assert rules(scenario_of(run(GOOD, garbled)).checks) == ["telemetry.decode"]


def test_what_arrived_too_late_makes_the_scenario_inconclusive():
    verdict = run(GOOD, replace(SERVED, late=2))

    assert (verdict.exit_code, verdict.trouble) == (ExitCode.INCONCLUSIVE, "")
    assert scenario_of(verdict).outcome == "inconclusive"


def test_egress_is_a_warning_where_the_spec_is_silent_and_a_finding_where_it_speaks():
    drop = Drop(source="10.213.0.10", destination="198.51.100.7", protocol="tcp", port=443, count=1)
    nosy = replace(SERVED, egress=(drop,))
    strict = expecting(want("POST *"), hermeticity=HermeticityExpectation(egress_none=True, at=AT))

    assert run(GOOD, nosy).exit_code is ExitCode.PASS
    assert [(f.rule, f.level) for f in scenario_of(run(GOOD, nosy)).findings] == [("network.egress", "warning")]
    assert run(strict, nosy).exit_code is ExitCode.FINDINGS
    assert rules(scenario_of(run(strict, nosy)).checks) == ["hermeticity.egress"]


def test_what_is_left_behind_is_always_a_finding():
    left = replace(SERVED, cleanup=CleanupRecord(left=Inventory(containers=("clr-1",))))
    strict = expecting(want("POST *"), hermeticity=HermeticityExpectation(leaks_none=True, at=AT))

    assert rules(scenario_of(run(GOOD, left)).checks) == ["cleanup.left"]
    assert rules(scenario_of(run(strict, left)).checks) == ["hermeticity.leaks"]


def test_a_scenario_without_anything_to_judge_is_never_a_pass():
    verdict = run(None, replace(NOBODY, steps=()), steps=())

    assert (verdict.verdict, verdict.exit_code) == ("inconclusive", ExitCode.INCONCLUSIVE)
    assert "nothing was judged" in verdict.trouble


def test_a_scenario_of_faults_alone_is_never_a_pass():
    only = replace(NOBODY, steps=(), faults=(bitten(SLOW),))

    assert run(None, only, steps=(), chaos=(SLOW,), events={"order": (event(SLOW),)}).exit_code is ExitCode.INCONCLUSIVE


def test_the_suites_own_expect_is_judged_on_all_scenarios_together():
    two = suite(scenario("order"), scenario("refund"), expect=expecting(want("POST *", count=eq(2))))
    both = iteration(0, SERVED, record("refund", span_id=sid(2), payloads=(otlp(served(11)),)))

    judged = judge_iteration(plan(two), both)

    assert rules(judged.verdict.checks) == []
    assert rules(judge_iteration(plan(two), iteration(0, SERVED, record("refund"))).verdict.checks) == ["spans.count"]


def test_a_planned_scenario_without_a_record_is_inconclusive():
    two = plan(suite(scenario("order", expect=GOOD), scenario("refund")))

    verdict = judge_suite(SuiteRecord(plan=two, iterations=(iteration(0, SERVED),)))

    assert verdict.exit_code is ExitCode.INCONCLUSIVE
    assert verdict.iterations[0].digests is None


def five(*records):
    return SuiteRecord(
        plan=plan(suite(scenario(expect=GOOD)), iterations=5),
        iterations=tuple(iteration(n, r) for n, r in enumerate(records)),
    )


def test_five_equal_iterations_have_one_digest():
    verdict = judge_suite(five(*[SERVED] * 5))

    assert verdict.exit_code is ExitCode.PASS
    assert {i.digests.digest for i in verdict.iterations} == {verdict.digest}
    assert verdict.digest.startswith("sha256:")


def test_addresses_and_names_of_containers_are_no_difference():
    def elsewhere(n):
        host, name = f"10.213.{n}.10", f"clr-{n:08x}"
        (service,) = SERVED.services
        seen = {"server.address": host, "peer": f"{name}:8080", "via": f"10.213.{n}.1"}
        return replace(
            SERVED,
            services=(replace(service, address=host, container=name, hostname=name),),
            payloads=(otlp(served(attrs=seen)),),
        )

    assert judge_suite(five(*(elsewhere(n) for n in range(5)))).exit_code is ExitCode.PASS


def test_traces_that_the_runner_issued_for_probes_are_no_difference():
    def probed(n):
        probes = [span(100 + i, "GET /health", trace="b" * 32) for i in range(n)]
        return replace(SERVED, payloads=(otlp(served(), *probes),), noise_traces=("b" * 32,))

    assert judge_suite(five(*(probed(n) for n in range(5)))).exit_code is ExitCode.PASS
    unissued = (replace(probed(n), noise_traces=()) for n in range(5))
    assert judge_suite(five(*unissued)).exit_code is ExitCode.FINDINGS


def test_a_random_attribute_is_nondeterminism_named_by_path_and_attribute():
    odd = record(payloads=(otlp(served(attrs={"order.id": "7f3a"})),))
    same = record(payloads=(otlp(served(attrs={"order.id": "91bc"})),))

    verdict = judge_suite(five(same, same, odd, same, same))

    assert (verdict.exit_code, verdict.digest) == (ExitCode.FINDINGS, "")
    assert (verdict.divergence.left, verdict.divergence.right) == (0, 2)
    assert verdict.divergence.path.endswith("POST /orders")
    assert verdict.divergence.attribute == "attributes.order.id"
    (found,) = verdict.determinism.findings
    assert found.rule == "determinism.identical"
    assert "iterations 1 and 3 part (value)" in found.found


def test_iterations_are_named_by_their_own_index_where_one_had_trouble():
    broken = replace(NOBODY, trouble=Trouble(exit_code=4, message="gone"))
    odd = record(payloads=(otlp(served(attrs={"x": "1"})),))

    verdict = judge_suite(five(broken, SERVED, SERVED, odd, SERVED))

    assert verdict.exit_code is ExitCode.ENGINE
    assert (verdict.divergence.left, verdict.divergence.right) == (1, 3)


def test_a_step_that_answers_otherwise_is_a_divergence_of_the_step():
    other = replace(SERVED, steps=(step("place", status=202),))

    verdict = judge_suite(five(SERVED, SERVED, SERVED, SERVED, other))

    assert verdict.exit_code is ExitCode.FINDINGS
    divergence = verdict.divergence
    assert (divergence.path, divergence.attribute) == ("scenario order > step place", "status")
    assert (divergence.classification, divergence.right_value) == ("step", "202")


def test_a_verdict_that_differs_is_a_divergence_of_the_verdict():
    slow = suite(scenario(expect=expecting(want("POST *"), status=(StatusExpectation(comparator=eq("unset"), at=AT),))))
    planned = plan(slow, iterations=2)
    # A second service span in a trace of probes is judged, and stays out of the trace digest.
    failing = replace(
        SERVED,
        payloads=(otlp(served(), span(90, "GET /health", trace="b" * 32, status="error")),),
        noise_traces=("b" * 32,),
    )

    verdict = judge_suite(SuiteRecord(plan=planned, iterations=(iteration(0, SERVED), iteration(1, failing))))

    assert verdict.divergence.classification == "verdict"
    assert verdict.divergence.path == "scenario order > status of all service spans"


def test_fewer_iterations_than_planned_are_never_a_pass():
    verdict = judge_suite(five(SERVED, SERVED, SERVED))

    assert verdict.exit_code is ExitCode.INCONCLUSIVE
    assert verdict.digest == ""
    assert verdict.trouble == "only 3 of 5 iterations ran"


def test_a_suite_that_never_ran_is_never_a_pass():
    assert judge_suite(five()).exit_code is ExitCode.INCONCLUSIVE


def test_one_iteration_or_identical_false_compares_nothing():
    assert run().determinism is None
    planned = plan(suite(scenario(expect=GOOD)), iterations=2)
    loose = replace(
        planned, suite=replace(planned.suite, determinism=replace(planned.suite.determinism, identical=False))
    )
    odd = record(payloads=(otlp(served(attrs={"x": "1"})),))

    verdict = judge_suite(SuiteRecord(plan=loose, iterations=(iteration(0, SERVED), iteration(1, odd))))

    assert (verdict.exit_code, verdict.determinism, verdict.digest) == (ExitCode.PASS, None, "")


ONE = SuiteRecord(plan=plan(suite(scenario(expect=GOOD))), iterations=(iteration(0, SERVED),))


def test_a_session_that_holds_is_a_pass_and_counts_each_check_once():
    verdict = judge_session(session(five(*[SERVED] * 5)))

    assert (verdict.verdict, verdict.exit_code) == ("pass", ExitCode.PASS)
    assert verdict.counts == {"passed": 10, "failed": 0, "known": 0, "inconclusive": 0}
    assert verdict.digest == verdict.suites[0].digest


def test_a_check_that_breaks_in_one_iteration_counts_as_failed_once():
    odd = record(payloads=(otlp(served()),), late=1)

    verdict = judge_session(session(five(SERVED, odd, SERVED, SERVED, SERVED)))

    assert verdict.counts["inconclusive"] == 1
    assert verdict.counts["failed"] == 1  # the verdict that differs is nondeterminism


def test_a_run_of_nothing_is_never_a_pass():
    assert judge_session(session()).exit_code is ExitCode.INCONCLUSIVE
    assert judge_session(session(ONE), suites=()).exit_code is ExitCode.INCONCLUSIVE
    assert judge_session(session(ONE, ONE), suites=(judge_suite(ONE),)).exit_code is ExitCode.INCONCLUSIVE


@pytest.mark.parametrize(
    "kw",
    [
        {"proof": None},
        {"proof": Proof(vectors=(), dropped=0)},
        {"proof": Proof(vectors=(Vector(protocol="tcp", destination="d", port=1, open=True, detail=""),), dropped=0)},
        {"cleanup": CleanupRecord(left=Inventory(networks=("clr-1",)))},
        {"cleanup": CleanupRecord(processes_left=("42",))},
        {"trouble": Trouble(exit_code=4, message="dead engine")},
    ],
)
def test_a_run_without_proof_or_with_leftovers_is_engine_trouble(kw):
    verdict = judge_session(session(ONE, **kw))

    assert (verdict.verdict, verdict.exit_code) == ("error", ExitCode.ENGINE)


def test_isolation_must_be_proven_as_soon_as_one_suite_ran():
    idle = replace(ONE, iterations=(), trouble=Trouble(exit_code=6, message="skipped"))

    assert judge_session(session(ONE, idle, proof=None)).exit_code is ExitCode.ENGINE
    assert judge_session(session(idle, proof=None)).exit_code is ExitCode.INCONCLUSIVE


def test_an_interruption_outranks_all():
    troubled = session(ONE, interrupted=True, trouble=Trouble(exit_code=4, message="dead engine"))

    assert judge_session(troubled).exit_code is ExitCode.INTERRUPTED


def test_several_suites_have_one_digest_and_the_worst_code():
    failing = SuiteRecord(plan=plan(suite(scenario(expect=expecting(want("x"))))), iterations=(iteration(0, SERVED),))

    assert judge_session(session(ONE, failing)).exit_code is ExitCode.FINDINGS
    assert judge_session(session(ONE, ONE)).digest not in ("", judge_suite(ONE).digest)
    assert judge_session(session(ONE, replace(ONE, iterations=()))).digest == ""


def test_roles_stand_for_all_that_names_a_container():
    full_id = "0123456789abcdef" * 4
    api = ServiceRecord(name="api", image="i", address="10.213.3.10", container=full_id, hostname="web")
    db = ServiceRecord(name="db", image="i", address="10.213.3.11", container="clr-9", hostname="db")

    assert roles((api, db)) == {
        "10.213.3.1": "<gateway>",
        "10.213.3.10": "<api>",
        full_id: "<api>",
        "0123456789ab": "<api>",
        "web": "<api>",
        "10.213.3.11": "<db>",
        "clr-9": "<db>",
    }
    assert roles((ServiceRecord(name="x", image="i", address="", container=""),)) == {}

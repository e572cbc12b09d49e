"""`expect.resilience`: each figure with its control, by operations whose figures were worked out by hand.

One is due every 100 ms from 10 s on, 50 in all. The fault stands from 12 s to 13 s; what is due from 12 s to 13.2 s
fails after 50 ms, all else succeeds after 10 ms.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from cleanroom.drive.answer import Answer
from cleanroom.drive.workload.operation import Operation, Operations, WorkloadRecord
from cleanroom.quantity import Duration
from cleanroom.run.record import InvariantRecord, RecoveryRecord
from cleanroom.spec.expect import Expect
from cleanroom.spec.resilience import ResilienceExpectation
from cleanroom.validate.occurrence import FaultState
from cleanroom.validate.resilience.figures import RULES
from cleanroom.validate.resilience.judge import judge_resilience
from cleanroom.validate.scenario import judge_expect
from tests.unit.validate.builders import AT, bitten, cmp, fault, record, rules, scene, step

MS = 10**6
WINDOW = (12_000 * MS, 13_000 * MS)


def operation(due, took, ok=True, **kw):
    outcome = "passed" if ok else "failed"
    return step(f"at {due}", outcome, start_ns=due * MS, end_ns=(due + took) * MS, **kw)


def course():
    dues = range(10_000, 15_000, 100)
    return tuple(operation(due, 50, ok=False) if 12_000 <= due < 13_300 else operation(due, 10) for due in dues)


STRUCK = (bitten(fault(), window=WINDOW),)


def went(steps=None, faults=STRUCK, **kw):
    return record(steps=course() if steps is None else steps, faults=faults, end_ns=20_000 * MS, **kw)


def seen(*records, **states):
    known = states or {"slow": FaultState(windows=(WINDOW,))}
    return scene(scenarios=records or (went(),), faults=known)


def want(figure, _level="error", **kw):
    beside = {key: kw.pop(key) for key in ("journal", "during", "slo", "window", "id") if key in kw}
    return ResilienceExpectation(figure=figure, comparator=cmp(**kw), level=_level, at=AT, **beside)


def check(wanted, of=None):
    (found,) = judge_resilience(of or seen(), (wanted,))
    return found


def ms(number):
    return Duration(number * MS)


FIGURES = [
    ("operations", {}, 50, 51),
    ("success_rate", {}, 0.74, 0.741),
    ("latency.avg", {}, Duration(20_400_000), ms(20)),
    ("latency.p50", {}, ms(10), ms(11)),
    ("latency.p95", {}, ms(50), ms(10)),
    ("latency.p99", {}, ms(50), ms(10)),
    ("latency.max", {}, ms(50), ms(49)),
    ("throughput", {}, 37 / 4.91, 37 / 5),
    ("degradation", {}, 1, 0.9),
    ("recovery_time", {}, ms(310), ms(309)),
    ("recovery_time.avg", {}, ms(310), ms(311)),
    ("recovery_time.p95", {}, ms(310), ms(309)),
    ("recovery_time.max", {}, ms(310), ms(309)),
    ("detection_time", {}, ms(50), ms(49)),
    ("rto", {}, ms(1310), ms(1300)),
    ("unavailability", {}, ms(1310), ms(1300)),
    ("availability", {}, 1 - 1.31 / 4.91, 0.75),
    ("error_budget.burn", {"slo": 0.9}, 2.6, 1),
    ("stability.variance", {}, 1504, 100),
    ("stability.last_to_first", {}, 1, 2),
]


def close(value):
    """A comparator for a figure: exact for whole numbers and times, else within rounding."""
    if isinstance(value, float):
        return {"between": (value - 1e-9, value + 1e-9)}
    return {"eq": value}


@pytest.mark.parametrize(("figure", "beside", "value", "wrong"), FIGURES, ids=[row[0] for row in FIGURES])
def test_each_figure_has_the_value_that_was_worked_out_and_a_control_that_breaks(figure, beside, value, wrong):
    assert rules(check(want(figure, **beside, **close(value)))) == []
    broken = check(want(figure, **beside, eq=wrong))
    assert rules(broken) == [f"resilience.{figure}"]
    assert broken.name == f"resilience {figure}"
    assert broken.findings[0].found == broken.note


def test_each_figure_of_the_language_is_in_the_table_of_figures_and_of_cases():
    assert set(RULES) == {row[0] for row in FIGURES} | {"rpo"}


@pytest.mark.parametrize("figure", sorted(RULES))
def test_a_figure_of_nothing_breaks_whatever_is_wanted(figure):
    nothing = seen(went(steps=(), faults=()))
    broken = check(want(figure, slo=0.9, exists=False), nothing)
    assert rules(broken) == [f"resilience.{figure}"]
    assert broken.findings[0].found.startswith("none: ")
    assert rules(check(want(figure, slo=0.9, gte=0), nothing)) == [f"resilience.{figure}"]


def test_steps_that_ask_nothing_of_the_system_and_skipped_ones_are_no_operations():
    idle = tuple(replace(one, type=kind) for one, kind in zip(course(), ("sleep", "inject", "wait_for"), strict=False))
    skipped = (step("left out", "skipped"),)
    assert "no operation" in check(want("operations", gte=0), seen(went(steps=(*idle, *skipped)))).findings[0].found


def test_during_counts_what_overlaps_the_fault_and_only_its_time():
    assert rules(check(want("operations", during="slow", eq=10))) == ["resilience.operations"]
    assert rules(check(want("operations", during="slow", eq=11))) == []
    assert rules(check(want("success_rate", during="slow", eq=0))) == []
    assert rules(check(want("throughput", during="slow", eq=0))) == []
    assert rules(check(want("availability", during="slow", eq=0))) == []
    assert rules(check(want("unavailability", during="slow", eq=ms(1000)))) == []
    assert check(want("latency.p99", during="slow", lte=ms(50))).name == "resilience latency.p99 during slow"


def test_a_fault_that_was_not_drawn_makes_what_refers_to_it_inconclusive():
    state = FaultState(unusable="no occurrence of fault slow was drawn (probability 0.1)", allowed="rare")
    of = seen(went(faults=(bitten(fault(), drawn=False, injected=False, window=(0, 0)),)), slow=state)
    for wanted in (
        want("success_rate", during="slow", gte=0),
        want("recovery_time", lte=ms(1)),
        want("rto", gte=ms(0)),
    ):
        found = check(wanted, of)
        assert (found.findings, found.inconclusive, found.allowed) == ((), state.unusable, "rare")
    assert rules(check(want("success_rate", eq=0.74), of)) == []


def test_one_fault_without_evidence_does_not_keep_another_from_being_measured():
    of = seen(went(), slow=FaultState(windows=(WINDOW,)), other=FaultState(unusable="not drawn"))
    assert rules(check(want("rto", eq=ms(1310)), of)) == []


def test_a_system_that_never_serves_again_breaks_recovery_and_rto():
    steps = tuple(one for one in course() if one.start_ns < WINDOW[1])
    for figure in ("recovery_time", "rto"):
        broken = check(want(figure, gte=ms(0)), seen(went(steps=steps)))
        assert "never recovered" in broken.findings[0].found


def test_a_success_between_failures_is_no_recovery():
    relapse = (*course(), operation(14_950, 10, ok=False), operation(15_050, 10))
    assert rules(check(want("rto", eq=ms(3060)), seen(went(steps=relapse)))) == []


def test_a_fault_that_nothing_shows_is_not_detected_and_one_that_harmed_nobody_needs_no_recovery():
    fine = tuple(operation(due, 10) for due in range(10_000, 15_000, 100))
    assert "nothing shows it" in check(want("detection_time", lte=ms(1000)), seen(went(steps=fine))).findings[0].found
    assert "nothing to recover" in check(want("recovery_time", lte=ms(9)), seen(went(steps=fine))).findings[0].found
    assert rules(check(want("rto", eq=ms(0)), seen(went(steps=fine)))) == []
    before = fine[:10]
    assert "under way" in check(want("rto", gte=ms(0)), seen(went(steps=before))).findings[0].found


def test_recoveries_that_were_measured_count_as_measured_and_one_that_failed_breaks():
    def killed(number, took, success=True):
        recovery = RecoveryRecord(strategy="policy", duration_ns=took * MS, success=success)
        window = (WINDOW[0] + number * 100 * MS, WINDOW[0] + number * 100 * MS + 50 * MS)
        return bitten(fault(), number, window=window, recovery=recovery)

    three = tuple(killed(number, took) for number, took in enumerate((100, 300, 200)))
    of = seen(went(faults=three))
    for figure, value in (("recovery_time", 300), ("recovery_time.avg", 200), ("recovery_time.p95", 300)):
        assert rules(check(want(figure, eq=ms(value)), of)) == []
    lost = check(want("recovery_time", lte=ms(10_000)), seen(went(faults=(*three, killed(3, 5, success=False)))))
    assert "did not come back" in lost.findings[0].found


def test_there_must_be_a_steady_phase_to_compare_with():
    late = tuple(one for one in course() if one.start_ns >= WINDOW[0])
    assert "steady phase" in check(want("degradation", lte=1), seen(went(steps=late))).findings[0].found
    failing = tuple(replace(one, outcome="failed") for one in course())
    assert "steady phase" in check(want("degradation", lte=1), seen(went(steps=failing))).findings[0].found


def test_a_hang_is_unavailability_also_where_nothing_fails_and_idle_time_is_none():
    hang = (operation(10_000, 10), operation(11_000, 4000), operation(20_000, 10))
    of = seen(went(steps=hang))
    assert rules(check(want("unavailability", eq=ms(4000)), of)) == []
    assert rules(check(want("availability", between=(0.600, 0.601)), of)) == []


def test_a_journal_that_does_not_exist_breaks():
    assert "no journal orders" in check(want("success_rate", journal="orders", gte=0)).findings[0].found


def journal(name, *samples):
    """A workload's record of (due, took, outcome) in ms."""
    kept = Operations()
    for index, (due, took, outcome) in enumerate(samples):
        kept.append(
            Operation(
                index=index, worker=0, name="ask", intended_ns=due * MS, start_ns=(due + took // 2) * MS,
                end_ns=(due + took) * MS, outcome=outcome, error_type="" if outcome == "ok" else "timeout",
            )
        )  # fmt: skip
    return WorkloadRecord(name=name, step=name, workers=1, operations=kept)


def test_a_journal_is_measured_from_the_intended_start_and_only_what_was_acknowledged_succeeded():
    orders = journal("orders", (10_000, 10, "ok"), (10_500, 400, "ok"), (11_000, 20, "allowed"))
    reads = journal("reads", (10_000, 1000, "failed"))
    of = seen(went(workloads=(orders, reads)))
    assert rules(check(want("operations", journal="orders", eq=3), of)) == []
    assert rules(check(want("latency.max", journal="orders", eq=ms(400)), of)) == []
    assert rules(check(want("success_rate", journal="orders", eq=2 / 3), of)) == []
    assert rules(check(want("success_rate", journal="reads", eq=0), of)) == []
    assert rules(check(want("operations", eq=4), of)) == []
    assert rules(check(want("success_rate", eq=0.5), of)) == []


def test_a_journal_without_an_operation_has_no_figure():
    found = check(want("success_rate", journal="orders", gte=0), seen(went(workloads=(journal("orders"),))))
    assert found.findings[0].found == "none: there was no operation to measure"


def acknowledged(name, *values):
    """A workload's record: one operation after the other, each with what it acknowledged."""
    kept = Operations()
    for index, value in enumerate(values):
        kept.append(
            Operation(
                index=index, worker=0, name="buy", intended_ns=index, start_ns=index, end_ns=index + 1, outcome="ok",
                error_type="", value=value,
            )
        )  # fmt: skip
    return WorkloadRecord(name=name, step=name, workers=1, operations=kept)


def asked_for(journal, *present, invariant="kept", **kw):
    """What an `acknowledged` invariant of a journal found in the end."""
    answer = Answer(ok=True, rows=tuple({"id": one} for one in present), question="sql db ids")
    return InvariantRecord(id=invariant, journal=journal, answers=(answer,), **kw)


def rpo(workloads, *invariants, _of="", **wanted):
    """What is found of `rpo`; empty: it is as it is wanted."""
    of = seen(went(workloads=workloads, invariants=invariants))
    return "; ".join(finding.found for finding in check(want("rpo", journal=_of, **wanted), of).findings)


def test_the_operations_that_are_lost_are_those_that_an_acknowledged_invariant_misses():
    four = (acknowledged("orders", 1, 2, "3", 4),)
    assert rpo(four, asked_for("orders", 1, 2, 3, 4), eq=0) == ""
    assert rpo(four, asked_for("orders", 1, 4, 9), eq=0) == "2"
    assert rpo(four, asked_for("orders", 1, 4, 9), lte=2) == ""
    assert rpo(four, asked_for("orders", 1, 4, 9), _of="orders", lte=1) == "2"
    # Of a suite's own invariant too; of several that look at one journal the worst counts.
    assert rpo(four, asked_for("orders", 1, 2, 3, of_suite=True), eq=0) == "1"
    assert rpo(four, asked_for("orders", 1, 2, 3, 4), asked_for("orders", 1, invariant="replica"), eq=0) == "3"


def test_a_number_that_a_sequence_gave_once_more_after_a_loss_hides_nothing():
    again = (acknowledged("orders", 1, 2, 3, 3, 4),)
    assert rpo(again, asked_for("orders", 1, 2, 3, 4), eq=0) == "1"
    assert rpo(again, asked_for("orders", 1, 2, 3, 3, 4), eq=0) == ""


def test_every_journal_that_is_meant_needs_somebody_who_looked():
    orders, refunds = acknowledged("orders", 1, 2), acknowledged("refunds", 7, 8)
    both = (orders, refunds)
    unseen = "none: no invariant `acknowledged` of journal refunds says which operations are lost"
    assert rpo(both, asked_for("orders", 1, 2), gte=0) == unseen
    assert rpo(both, asked_for("orders", 1, 2), _of="refunds", gte=0) == unseen
    assert rpo(both, asked_for("orders", 1, 2), _of="orders", eq=0) == ""
    assert rpo(both, asked_for("orders", 1), asked_for("refunds"), eq=3) == ""
    # `error_classes` and `fairness` name a journal too, and look at nothing.
    assert "no invariant" in rpo((orders,), InvariantRecord(id="only", journal="orders"), gte=0)
    assert "its workload did not run" in rpo((orders,), asked_for("orders", 1, 2), _of="other", gte=0)
    assert "no workload ran" in rpo((), asked_for("orders", 1, 2), gte=0)


def test_what_cannot_be_compared_is_no_number_of_lost_operations():
    orders = acknowledged("orders", 1, 2)
    refused = InvariantRecord(
        id="kept", journal="orders", answers=(Answer(ok=False, why="refused", question="sql db ids"),)
    )
    assert rpo((orders,), refused, gte=0) == 'none: invariant "kept" cannot tell what is lost: sql db ids: refused'
    orders.operations.values_lost = 2
    found = rpo((orders,), asked_for("orders", 1, 2), gte=0)
    assert found.endswith("cannot tell what is lost: 2 values were too long to be kept")
    nothing = acknowledged("orders", None)
    assert "1 succeeded, and none has a value" in rpo((nothing,), asked_for("orders"), gte=0)


def test_a_suites_own_figure_is_judged_in_each_scenario_that_has_one():
    idle = replace(went(steps=(), faults=()), name="idle")
    wanted = want("success_rate", gte=0.7)
    assert rules(check(wanted, seen(went(), idle))) == []
    assert rules(check(wanted, seen(idle))) == ["resilience.success_rate"]
    lost = replace(went(steps=course()[:30]), name="lost")
    assert [f.found for f in check(want("rto", lte=ms(2000)), seen(went(), lost)).findings] == [
        "scenario lost: none: after fault slow no operation succeeded any more: the system never recovered"
    ]


def test_the_level_and_the_id_of_an_expectation_are_kept():
    found = check(want("operations", "warning", eq=1, id="through"))
    assert (found.name, found.findings[0].level) == ("resilience through operations", "warning")


def test_it_is_part_of_what_a_spec_expects():
    expect = Expect(resilience=(want("operations", eq=50),), at=AT)
    assert [one.rule for one in judge_expect(seen(), expect)] == ["resilience.operations"]

from __future__ import annotations

import pytest

from cleanroom.drive.answer import Answer
from cleanroom.drive.workload.operation import Operation, Operations, WorkloadRecord
from cleanroom.run.record import InvariantRecord, LeaderRecord, ScenarioRecord, SnapshotRecord, SteadyRecord, Trouble
from cleanroom.spec.comparator import Comparator, equal_to
from cleanroom.spec.invariant import (
    AcknowledgedInvariant,
    ColumnInvariant,
    DeltaInvariant,
    ErrorClassesInvariant,
    FairnessInvariant,
    HoldsInvariant,
    Invariant,
    OrphansInvariant,
    ReconcileInvariant,
    RowOrderInvariant,
    SingleLeaderInvariant,
    SnapshotInvariant,
)
from cleanroom.spec.probe import Probe, TcpProbe
from cleanroom.spec.query import SqlAction
from cleanroom.spec.source import Position
from cleanroom.validate.invariants.judge import judge_invariants

AT = Position("shop.cleanroom.yaml", 9, 5)
SQL = SqlAction(service="db", query="select 1")
PROBE = Probe(question=TcpProbe(service="db", port=1))


def value(found, **kw):
    return Answer(ok=True, value=found, question="exec db x", **kw)


def rows(*found):
    return Answer(ok=True, rows=tuple(found), question="sql db x")


def ids(*found):
    return rows(*({"id": one} for one in found))


def operations(*found):
    made = Operations()
    for index, (worker, outcome, error, kept) in enumerate(found):
        made.append(
            Operation(
                index=index, worker=worker, name="buy", intended_ns=index, start_ns=index, end_ns=index + 1,
                outcome=outcome, error_type=error, value=kept,
            )
        )  # fmt: skip
    return made


def confirmed(*values):
    return operations(*((0, "ok", "", one) for one in values))


def judged(check, *answers, snapshots=(), journal=None, leaders=None, asked=True, workers=1, **kw):
    workloads = () if journal is None else (WorkloadRecord(name="w", step="w", workers=workers, operations=journal),)
    record = ScenarioRecord(
        name="s", outcome="passed",
        snapshots=tuple(SnapshotRecord(id="before", answer=one) for one in snapshots), workloads=workloads,
        invariants=(InvariantRecord(id="i", answers=answers, leaders=leaders),) if asked else (), **kw,
    )  # fmt: skip
    (found,) = judge_invariants((Invariant(id="i", check=check, at=AT),), (record,))
    assert found.name == 'invariant "i"'
    assert all(finding.at == AT and finding.expected and finding.found for finding in found.findings)
    return found


def said(*args, **kw):
    """What is wrong, `""`: nothing."""
    found = judged(*args, **kw)
    assert not found.inconclusive
    return "; ".join(finding.found for finding in found.findings)


def snapshot(kind):
    return SnapshotInvariant(kind=kind, snapshot="before")


@pytest.mark.parametrize("kind", ["unchanged", "drift", "dump_digest"])
def test_a_snapshot_is_what_is_found_in_the_end(kind):
    assert judged(snapshot(kind), ids(1, 2), snapshots=[ids(2, 1)]).rule == f"invariants.{kind}"
    assert said(snapshot(kind), ids(1, 2), snapshots=[ids(2, 1)]) == ""
    assert 'gone: {"id": 2}; new: {"id": 3}' in said(snapshot(kind), ids(1, 3), snapshots=[ids(1, 2)])
    assert 'new: {"id": 1}' in said(snapshot(kind), ids(1, 1, 2), snapshots=[ids(1, 2)])
    assert "the snapshot is empty" in said(snapshot(kind), ids(), snapshots=[ids()])
    assert "the step that takes it did not" in said(snapshot(kind), ids(1))
    assert "it was never asked" in said(snapshot(kind), snapshots=[ids(1)])
    broken = Answer(ok=False, why="refused", question="sql db x")
    assert said(snapshot(kind), broken, snapshots=[ids(1)]) == "sql db x: refused"
    part = value("1", truncated=("stdout",))
    assert "only the beginning of its stdout" in said(snapshot(kind), part, snapshots=[value("1")])


def test_the_rules_of_snapshots_are_broken_by_their_own_name():
    rules = {judged(snapshot(kind), ids(2), snapshots=[ids(1)]).findings[0].rule for kind in (
        "unchanged", "drift", "dump_digest",
    )}  # fmt: skip
    assert rules == {"invariants.unchanged", "invariants.drift", "invariants.dump_digest"}


def test_a_dump_is_alike_whatever_the_order_of_its_lines_and_a_text_that_is_unchanged_is_not():
    assert said(snapshot("dump_digest"), value("b\na"), snapshots=[value("a\nb")]) == ""
    assert said(snapshot("unchanged"), value("b\na"), snapshots=[value("a\nb")]) != ""


def test_a_difference_is_of_numbers_also_of_those_that_are_printed():
    check = DeltaInvariant(snapshot="before", value=equal_to(3))
    assert said(check, value("7"), snapshots=[value("4")]) == ""
    assert said(check, rows({"sum": 7}), snapshots=[rows({"sum": 4})]) == ""
    assert said(check, value(8), snapshots=[value(4)]) == "4: 4 then, 8 in the end"
    found = judged(check, value("many"), snapshots=[value(4)])
    assert (found.findings[0].rule, found.findings[0].found) == ("invariants.delta", '4 then, "many" in the end')
    assert said(check, value([7]), snapshots=[value(4)]) != ""


def test_a_column_is_unique_or_says_what_is_there_twice():
    check = ColumnInvariant(kind="unique", sql=SQL, column="id")
    assert said(check, ids(1, 2, None, None)) == ""
    found = judged(check, ids(1, 2, 1, 1))
    assert (found.findings[0].rule, found.findings[0].found) == (
        "invariants.unique", "1 of them more than once: 1 (3 times)",
    )  # fmt: skip
    assert said(check, ids()) == "the query found none"
    assert said(check, ids(None)) == "1 rows, all null"
    assert said(check, rows({"name": 1})) == "the query has name"
    assert said(check) == "it was never asked"
    assert said(check, value(1)) == "exec db x has no rows"


def test_a_column_rises_from_row_to_row():
    check = ColumnInvariant(kind="monotonic", sql=SQL, column="id")
    assert said(check, ids(1, 2, 10)) == ""
    found = judged(check, ids(1, 2, 2))
    assert (found.findings[0].rule, found.findings[0].found) == ("invariants.monotonic", "row 3 has 2 after 2")
    assert said(check, ids("b", "a")) == 'row 2 has "a" after "b"'
    assert "cannot compare" in said(check, ids(1, "2"))
    assert said(check, ids(1, None)) == "row 2 has no value"
    assert said(check, ids()) == "the query found none"


def test_rows_are_in_order_each_group_by_itself():
    check = RowOrderInvariant(sql=SQL, per="account", by="version")
    good = [("a", 1), ("b", 5), ("a", 1), ("b", 6)]
    assert said(check, rows(*({"account": a, "version": v} for a, v in good))) == ""
    bad = judged(check, rows(*({"account": a, "version": v} for a, v in [*good, ("b", 2)])))
    assert bad.findings[0].rule == "invariants.order"
    assert bad.findings[0].expected == "version never to fall from row to row for account b"
    assert bad.findings[0].found == "row 3 has 2 after 6"
    assert said(RowOrderInvariant(sql=SQL, by="id"), ids(2, 1)) == "row 2 has 1 after 2"
    assert said(check, ids(1)) == "the query has id"


def test_an_orphan_is_a_row():
    check = OrphansInvariant(sql=SQL)
    assert said(check, ids()) == ""
    found = judged(check, ids(7))
    assert (found.findings[0].rule, found.findings[0].found) == ("invariants.orphans", '1 rows: [{"id": 7}]')
    assert said(check, Answer(ok=False, why="42P01", question="sql db x")) == "sql db x: 42P01"


def test_two_queries_are_equal_whatever_their_columns_are_called():
    check = ReconcileInvariant(left=SQL, right=SQL)
    assert said(check, rows({"sum": 3}), value("3")) == ""
    assert said(check, rows({"a": 1}, {"a": 2}), rows({"b": 1}, {"b": 2})) == ""
    found = judged(check, rows({"sum": 3}), value("4"))
    assert (found.findings[0].rule, found.findings[0].found) == ("invariants.reconcile", '"4" (exec db x)')
    assert said(check, ids(), value("")) == "both queries found nothing"
    assert said(check, value(1)) == "they were never asked"


def test_what_was_acknowledged_is_there_once():
    check = AcknowledgedInvariant(journal="w", present=SQL)
    assert said(check, ids(1, 2, 9), journal=confirmed("1", 2)) == ""
    lost = judged(check, ids(2), journal=confirmed(1, 2, 3))
    assert [(f.rule, f.expected, f.found) for f in lost.findings] == [
        ("invariants.acknowledged", "lost 0 of 3 acknowledged values", "2 lost: 1, 3")
    ]
    assert said(check, ids(1, 1, 2, 9, 9), journal=confirmed(1, 2)) == "1 duplicated: 1"
    lenient = AcknowledgedInvariant(journal="w", present=SQL, lost=Comparator(tests=(("lte", 1),)))
    assert said(lenient, ids(2), journal=confirmed(1, 2)) == ""
    assert said(check, value("1\n2"), journal=confirmed(1, 2)) == ""


def test_a_journal_that_says_nothing_breaks_what_is_judged_by_it():
    check = AcknowledgedInvariant(journal="w", present=SQL)
    assert said(check, ids(1)) == "its workload did not run"
    assert said(check, ids(1), journal=Operations()) == "there are none"
    assert said(check, ids(1), journal=confirmed(None)) == "1 succeeded, and none has a value"
    assert (
        said(check, ids(1), journal=operations((0, "failed", "timeout", None))) == "0 succeeded, and none has a value"
    )
    assert said(check, ids(1), journal=confirmed(1, None)) == "1 of 2 succeeded without one: buy"
    assert said(check, journal=confirmed(1)) == "it was never asked"
    unkept = confirmed(1)
    unkept.values_lost = 3
    assert said(check, ids(1), journal=unkept) == "3 values were too long to be kept"
    none = confirmed(None)
    none.values_lost = 1
    assert said(check, ids(1), journal=none) == "1 values were too long to be kept"


def test_a_value_that_two_operations_acknowledged_is_there_twice():
    check = AcknowledgedInvariant(journal="w", present=SQL)
    assert said(check, ids(1, 2, 2), journal=confirmed(1, 2, 2)) == ""
    assert said(check, ids(1, 2), journal=confirmed(1, 2, 2)) == "1 lost: 2"
    assert said(check, ids(1, 2, 2, 2), journal=confirmed(1, 2, 2)) == "1 duplicated: 2"


def test_error_classes_are_those_that_are_named():
    met = operations((0, "ok", "", 1), (0, "allowed", "sql:40001", None), (0, "failed", "timeout", None))
    assert said(ErrorClassesInvariant(journal="w", only=("timeout", "sql:40001")), journal=met) == ""
    found = judged(ErrorClassesInvariant(journal="w", only=("timeout",)), journal=met)
    assert (found.findings[0].rule, found.findings[0].found) == ("invariants.error_classes", "sql:40001 (1 times)")
    broken = operations((0, "failed", "", None))
    assert "broke its expect" in said(ErrorClassesInvariant(journal="w", only=()), journal=broken)
    assert said(ErrorClassesInvariant(journal="w", only=()), journal=Operations()) == "there are none"


def test_nobody_starves():
    check = FairnessInvariant(journal="w", by="worker", min_share=0.5)
    fair = operations((0, "ok", "", 1), (1, "ok", "", 1), (0, "ok", "", 1))
    assert said(check, journal=fair, workers=2) == ""
    found = judged(check, journal=fair, workers=3)
    assert (found.findings[0].rule, found.findings[0].found) == ("invariants.fairness", "worker 2: 0")
    assert said(check, journal=operations((0, "failed", "timeout", None)), workers=1) == "no operation succeeded"
    by = FairnessInvariant(journal="w", by="shop", min_share=1)
    assert said(by, journal=confirmed({"shop": "a"}, {"shop": "b"})) == ""
    assert said(by, journal=confirmed({"shop": "a"}, {"shop": "b"}, {"shop": "a"})) == "shop b: 1"
    assert said(by, journal=confirmed(1)) == "no operation tells its shop"
    starving = operations((0, "ok", "", {"shop": "a"}), (0, "failed", "timeout", None))
    assert said(by, journal=starving) == "1 of 2 do not tell their shop, so who got none is not known"


def test_never_do_more_lead_than_may():
    check = SingleLeaderInvariant(probe=PROBE)
    assert said(check, leaders=LeaderRecord(rounds=9, most=1, led=8)) == ""
    two = LeaderRecord(rounds=9, most=2, led=8, crowded=((5, ("db-1", "db-2")),))
    found = judged(check, leaders=two)
    assert (found.findings[0].rule, found.findings[0].found) == (
        "invariants.single_leader", "2 led at once: at 5 ns db-1, db-2",
    )  # fmt: skip
    assert said(check, leaders=LeaderRecord(rounds=9)) == "nobody led in 9 rounds"
    assert said(check, leaders=LeaderRecord(rounds=0)) == "nobody was ever asked"
    assert said(check) == "nobody was ever asked"


def test_a_probe_holds_in_the_end():
    check = HoldsInvariant(probe=PROBE)
    assert said(check, Answer(ok=True)) == ""
    found = judged(check, Answer(ok=False, why="refused", question="tcp db port 1"))
    assert [(f.rule, f.expected, f.found) for f in found.findings] == [
        ("invariants.holds", "tcp db port 1 holds", "refused")
    ]
    assert said(check) == "it was never asked"


def test_what_was_not_asked_breaks_unless_something_kept_it():
    check = HoldsInvariant(probe=PROBE)
    assert said(check, asked=False) == "it was never asked"
    trouble = Trouble(exit_code=4, message="the engine died")
    assert "the engine died" in judged(check, asked=False, trouble=trouble).inconclusive
    before = SteadyRecord(phase="before", rounds=1, answers=(Answer(ok=False),))
    assert "steady state" in judged(check, asked=False, steady=(before,)).inconclusive


def test_a_warning_does_not_fail_and_one_of_the_suite_names_the_scenario():
    invariant = Invariant(id="i", check=HoldsInvariant(probe=PROBE), at=AT, level="warning")
    bad = InvariantRecord(id="i", of_suite=True, answers=(Answer(ok=False, why="refused"),))
    records = tuple(ScenarioRecord(name=name, outcome="passed", invariants=(bad,)) for name in "ab")
    (found,) = judge_invariants((invariant,), records, of_suite=True)
    assert [(f.level, f.found) for f in found.findings] == [
        ("warning", "scenario a: refused"), ("warning", "scenario b: refused"),
    ]  # fmt: skip
    assert judge_invariants((invariant,), (), of_suite=True)[0].inconclusive

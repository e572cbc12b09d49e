from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.drive.workload.operation import WorkloadRecord
from cleanroom.errors import EngineError, ExitCode, UsageError
from cleanroom.run.journal import Journal, file_name, read_journal
from cleanroom.run.record import FaultRecord, IterationRecord, SessionRecord, SuiteRecord, Trouble
from cleanroom.run.session import SessionOptions, run_suites
from cleanroom.validate.judge import judge_session
from tests.fakes import PROOF
from tests.unit.drive.workload.journals import operations
from tests.unit.run.worlds import behaving, latency, order, shop
from tests.unit.validate.builders import iteration, otlp, plan, record, scenario, served, session, suite


def written(directory: Path, whole: SessionRecord) -> Path:
    journal = Journal(directory)
    for one in whole.suites:
        journal.plan(one.plan)
        for each in one.iterations:
            journal.iteration(one.plan.suite.name, each)
    journal.session(whole)
    return directory


def shared_pair() -> IterationRecord:
    arrived = (otlp(served(10)), replace(otlp(served(11)), body=b"\x00\xff not text"))
    return iteration(0, *(record(name, payloads=arrived, shared=True) for name in ("a", "b")))


def worked(name: str, count: int) -> WorkloadRecord:
    return WorkloadRecord(
        name=name, step=name, workers=2, rate=50.0, intended=count, began_ns=10**18, ended_ns=10**18 + 5, cpu_ns=7,
        operations=operations(count),
    )  # fmt: skip


def run(directory: Path, world) -> SessionRecord:
    """Run all iterations with fakes and write the journal as a worker does."""
    journal = Journal(directory)
    suites = run_suites(world.ports, (world.plan,), SessionOptions(parallel=2), journal, world.start_trace)
    whole = SessionRecord(suites=suites, proof=PROOF, interrupted=world.stop.requested)
    journal.session(whole)
    return whole


SESSIONS = {
    "plain": session(SuiteRecord(plan=plan(iterations=2), iterations=(iteration(0), iteration(1)))),
    "shared": session(
        SuiteRecord(plan=plan(suite(scenario("a"), scenario("b"), environment="suite")), iterations=(shared_pair(),))
    ),
    "trouble": session(
        SuiteRecord(plan=plan(), trouble=Trouble(exit_code=4, message="gone", remedy="bring it back")),
        interrupted=True, trouble=Trouble(exit_code=130, message="stopped"), timings={"engine": 1.5},
    ),
    "workloads": session(
        SuiteRecord(
            plan=plan(suite(scenario("a"), scenario("a/load"))),
            iterations=(
                iteration(
                    0, record("a", workloads=(worked("load/x", 3), worked("y", 0))),
                    record("a/load", workloads=(worked("x", 2),)),
                ),
            ),
        )
    ),
    "nothing": SessionRecord(),
}  # fmt: skip


@pytest.mark.parametrize("name", SESSIONS)
def test_what_is_read_is_what_was_written(name, tmp_path):
    assert read_journal(written(tmp_path / "journal", SESSIONS[name])) == SESSIONS[name]


@pytest.mark.parametrize("name", SESSIONS)
def test_judging_again_gives_the_same_verdict(name, tmp_path):
    again = judge_session(read_journal(written(tmp_path, SESSIONS[name])))
    assert again == judge_session(SESSIONS[name])


def _silent():
    world = behaving()
    world.engine.answer = None
    return world


WORLDS = {
    "well": (behaving, ExitCode.PASS),
    "shared": (lambda: behaving(shop(order("a"), order("b"), environment="suite")), ExitCode.PASS),
    "no effect": (lambda: behaving(shape={"holds": False}), ExitCode.INCONCLUSIVE),
    "not reverted": (lambda: behaving(shape={"stays": True}), ExitCode.ENGINE),
    "silent services": (_silent, ExitCode.TELEMETRY),
}


@pytest.mark.parametrize("name", WORLDS)
def test_a_run_is_judged_and_judged_again_from_its_journal(name, tmp_path):
    make, code = WORLDS[name]
    whole = run(tmp_path, make())
    verdict = judge_session(whole)
    assert verdict.exit_code is code, verdict
    back = read_journal(tmp_path)
    assert back == whole
    assert judge_session(back) == verdict


def test_faults_are_in_the_journal_before_they_are_injected(tmp_path):
    world = behaving(shop(order(chaos=(latency("a"), latency("b")))))
    seen = []
    opening = world.open_fault

    def open_fault(event, context):
        fault = opening(event, context)
        injecting = fault.inject

        def inject():
            lines = (tmp_path / "suite-shop" / "faults.jsonl").read_text().splitlines()
            seen.append(json.loads(lines[-1])["fault"]["id"] == event.fault.id)
            injecting()

        fault.inject = inject
        return fault

    world.open_fault = open_fault
    world.iterate(tmp_path)
    assert seen == [True, True]
    lines = [json.loads(line) for line in (tmp_path / "suite-shop" / "faults.jsonl").read_text().splitlines()]
    assert [(e["iteration"], e["scenario"], e["fault"]["id"], e["fault"]["reverted"]) for e in lines] == [
        (0, "order", "a", False), (0, "order", "b", False), (0, "order", "b", True), (0, "order", "a", True),
    ]  # fmt: skip


@given(st.text(max_size=300))
def test_names_of_files_can_be_written_and_uploaded_anywhere(text):
    name = file_name(text)
    assert re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", name)
    assert len(name) < 100


@given(st.text(max_size=100), st.text(max_size=100))
def test_different_names_never_share_a_file(one, other):
    assert (file_name(one) == file_name(other)) == (one == other)


def test_scenarios_whose_names_look_alike_keep_their_own_telemetry(tmp_path):
    names = ("a b", "a-b", "a:b", "a/b", "../a")
    whole = session(
        SuiteRecord(
            plan=plan(suite(*(scenario(n) for n in names))),
            iterations=(iteration(0, *(record(n, payloads=(otlp(served(i)),)) for i, n in enumerate(names))),),
        )
    )
    assert read_journal(written(tmp_path / "journal", whole)) == whole
    assert [p.name for p in tmp_path.iterdir()] == ["journal"]


@pytest.mark.parametrize(
    "name", ["session.json", "suite-shop/plan.json", "suite-shop/iteration-1/record.json",
             "suite-shop/iteration-1/runner.otlp", "suite-shop/iteration-1/runner.otlp.json",
             "suite-shop/iteration-1/scenario-order.otlp"],
)  # fmt: skip
def test_a_file_that_is_missing_or_cut_is_named(name, tmp_path):
    for damage in ("missing", "cut", "longer"):
        directory = written(tmp_path / damage, SESSIONS["plain"])
        path = directory / name
        data = path.read_bytes()
        path.unlink()
        if damage != "missing":
            path.write_bytes(data[:-9] if damage == "cut" else data + b"{more}")
        with pytest.raises(UsageError) as caught:
            read_journal(directory)
        assert path.name.removesuffix(".json") in caught.value.message
        assert caught.value.remedy


@pytest.mark.parametrize("damage", ["missing", "cut", "fewer", "longer", "other"])
def test_a_file_of_operations_that_is_not_all_of_it_is_named(damage, tmp_path):
    directory = written(tmp_path, SESSIONS["workloads"])
    (path,) = (directory / "suite-shop" / "iteration-1" / "operations-a").glob("load-x*.jsonl")
    lines = path.read_text().splitlines(keepends=True)
    path.unlink()
    bad = {
        "cut": "".join(lines)[:-9], "fewer": "".join(lines[:-1]), "longer": "".join(lines) + "[1]\n",
        "other": "".join(lines).replace('"schema": 1', '"schema": 2'),
    }  # fmt: skip
    if damage != "missing":
        path.write_text(bad[damage])
    with pytest.raises(UsageError, match=r"load-x.*\.jsonl"):
        read_journal(directory)


@pytest.mark.parametrize("content", ["[]", "5", "{}", '{"schema": 2}', '{"schema": 1, "session": [], "suites": []}',
                                     '{"schema": 1, "session": {}, "suites": 5}', "\x00", "[" * 100_000,
                                     '{"schema": 1, "session": {}, "suites": [{"name": 5}]}'])  # fmt: skip
def test_a_journal_that_is_none_is_a_usage_error(content, tmp_path):
    (tmp_path / "session.json").write_text(content)
    with pytest.raises(UsageError, match=r"session\.json"):
        read_journal(tmp_path)


def test_a_plan_of_another_version_is_refused(tmp_path):
    path = written(tmp_path, SESSIONS["plain"]) / "suite-shop" / "plan.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema": 99}))
    with pytest.raises(UsageError, match="its schema is 99, expected 1"):
        read_journal(tmp_path)


def test_a_disk_that_refuses_is_engine_trouble_with_a_remedy(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(EngineError, match="cannot be written") as caught:
        Journal(tmp_path / "file" / "journal")
    assert caught.value.remedy
    journal = Journal(tmp_path / "journal")
    (tmp_path / "journal" / "suite-shop").write_text("in the way")
    for write in (
        lambda: journal.plan(plan()),
        lambda: journal.fault("shop", 0, "s", FaultRecord(id="f", kind="k", occurrence=0, targets=())),
        lambda: journal.iteration("shop", iteration(0)),
    ):
        with pytest.raises(EngineError, match="cannot be written"):
            write()
    (tmp_path / "journal" / "session.json").mkdir()
    with pytest.raises(EngineError, match="cannot be written"):
        journal.session(SessionRecord())


def test_a_disk_that_refuses_ends_a_run_in_trouble_and_a_clean_engine(tmp_path):
    world = behaving()
    journal = Journal(tmp_path)
    (tmp_path / "suite-shop").write_text("in the way")
    (record_of_suite,) = run_suites(world.ports, (world.plan,), SessionOptions(parallel=1), journal, world.start_trace)
    assert record_of_suite.trouble is not None
    assert record_of_suite.trouble.exit_code == ExitCode.ENGINE
    assert world.engine.held().empty

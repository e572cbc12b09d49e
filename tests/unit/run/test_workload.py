from __future__ import annotations

import os
import signal
import threading
from dataclasses import replace

import pytest

from cleanroom.drive.reach import Limits
from cleanroom.drive.result import ActionResult
from cleanroom.drive.workload.crew import Verdict
from cleanroom.drive.workload.operation import Operation as Journalled
from cleanroom.drive.workload.operation import Operations, WorkloadRecord
from cleanroom.drive.workload.perform import Performance
from cleanroom.quantity import Duration
from cleanroom.run import workload as module
from cleanroom.run.operation import judge_operation
from cleanroom.run.step import Timed, record_of
from cleanroom.run.workload import (
    Surroundings,
    result_of,
    run_workload,
    speaks_of_failures,
    workload_stream,
)
from cleanroom.spec.capture import Capture
from cleanroom.spec.expect import Expect
from cleanroom.spec.generator import IntegerGenerator
from cleanroom.spec.invariant import ErrorClassesInvariant, Invariant
from cleanroom.spec.query import ExecAction, HttpAction
from cleanroom.spec.resilience import ResilienceExpectation
from cleanroom.spec.retry import Retry
from cleanroom.spec.step import Step, StepExpect, WorkloadAction
from cleanroom.spec.templates.runtime_text import Expression, RuntimeText
from cleanroom.spec.workload import Operation, Workload
from tests.unit.drive.scenes import reach_of
from tests.unit.drive.workload.servers import serving
from tests.unit.validate.builders import cmp, eq

MINUTE = Limits(timeout=Duration(60 * 10**9))
ADVICE = "list their error types in `allow`, or judge how many may fail by resilience.success_rate"
CONTEXT = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"


@pytest.fixture
def server():
    with serving() as found:
        yield found


def text(written, *parts):
    return RuntimeText(
        written,
        tuple(p if isinstance(p, str) else Expression(p[0], frozenset({p[0].split(".")[0]}), {}) for p in parts),
    )


PATH = text("…", "/", ("worker",), "/", ("operation",), "/", ("operation.n",))


def get(server, path="/", **fields):
    return Step(name="get", action=HttpAction(service="api", port=server.port, path=path), **fields)


def load(step, **fields):
    return Step(name="load", action=WorkloadAction(workload=Workload(mix=(Operation(step=step),), **fields)))


def ran(step, limits=MINUTE, *, begun=lambda: None, expects=(), stop=None):
    reach = reach_of({"api": ("c", "127.0.0.1")})
    if stop is not None:
        stop(reach.stop)
    around = Surroundings(
        stream=workload_stream(7, "s", "load"), known={"captured": {}, "iteration": 0}, issue=lambda: CONTEXT,
        begun=begun, expects=expects,
    )  # fmt: skip
    return run_workload(reach, step, limits, around)


def test_every_operation_is_carried_out_once_and_written_down(server):
    told = []
    step = load(get(server, PATH), workers=4, operations=50, vars={"n": IntegerGenerator(max=9)}, barrier=True)
    result, record, traces = ran(step, begun=lambda: told.append(1))
    assert (result.error_type, result.message, told) == ("", "", [1])
    assert record.operations.counts() == {"ok": 50, "allowed": 0, "failed": 0}
    paths = sorted(asked[1] for asked in server.asked)
    assert sorted(one.value["path"] for one in record.operations) == paths
    assert sorted((int(p.split("/")[2]), int(p.split("/")[1])) for p in paths) == [(n, n % 4) for n in range(50)]
    # A session for each worker, whatever process it is in, and a trace for each operation.
    assert len({asked[4] for asked in server.asked}) == 4
    assert {asked[2]["traceparent"].split("-")[1] for asked in server.asked} == set(traces)
    assert record.began_ns <= min(record.operations.start_ns)
    assert record.ended_ns == max(record.operations.end_ns)
    assert all(one.intended_ns == one.start_ns <= one.end_ns for one in record.operations)
    assert (record.name, record.step, record.intended, record.reason) == ("load", "load", 50, "")
    assert record.cpu_ns > 0


def test_the_same_is_asked_whatever_the_timing(server):
    step = load(get(server, PATH), workers=3, operations=20, vars={"n": IntegerGenerator()})
    ran(step)
    first = sorted(asked[1] for asked in server.asked)
    server.asked.clear()
    ran(step)
    assert sorted(asked[1] for asked in server.asked) == first


def test_an_open_rate_intends_its_operations_at_fixed_instants_whatever_becomes_of_them(server):
    step = load(get(server, "/slow/0.05"), workers=2, duration=Duration(10**9), rate=50.0)
    result, record, _ = ran(step)
    assert result.error_type == ""
    intended = [one.intended_ns - record.began_ns for one in record.operations]
    assert intended == [number * 20_000_000 for number in range(50)]
    assert all(one.start_ns >= one.intended_ns for one in record.operations)
    # Two workers that take 50 ms and more cannot do 50 a second: those who wait are late by the whole wait.
    assert record.operations[49].latency_ns > 100_000_000
    assert (record.intended, record.rate) == (50, 50.0)


@pytest.mark.parametrize(("late", "told"), [(0, ""), (5, ""), (20, "a rate of 10/s was asked for, ")])
def test_all_operations_over_far_more_than_their_time_are_no_open_rate(late, told):
    operations = Operations()
    for number in range(20):
        due = number * 100_000_000
        start = due + late * 10**9 * number // 19
        operations.append(
            Journalled(
                index=number, worker=0, name="get", intended_ns=due, start_ns=start, end_ns=start + 1, outcome="ok",
            )
        )  # fmt: skip
    assert module._slower(operations, 10.0).startswith(told)
    assert bool(module._slower(operations, 10.0)) is bool(told)


def test_a_closed_loop_begins_operations_until_its_end(server):
    result, record, _ = ran(load(get(server), workers=2, duration=Duration(2 * 10**9)))
    assert result.error_type == ""
    assert record.intended is None
    assert len(record.operations) >= 1
    # Nothing bounds how late a loaded machine lets a thread go on that has just looked at the clock.
    assert max(record.operations.start_ns) < record.began_ns + 20 * 10**9
    assert record.duration_ns == 2 * 10**9


def test_retries_are_attempts_of_one_operation(server):
    retry = Retry(attempts=3, initial=Duration(10**6), on=("http_status",))
    _, record, _ = ran(load(get(server, "/status/503"), operations=4, retry=retry))
    assert [one.attempts for one in record.operations] == [3] * 4
    assert len(server.asked) == 12
    _, record, _ = ran(
        load(get(server, "/status/503", retry=replace(retry, on=("timeout",))), operations=4, retry=retry)
    )
    assert [one.attempts for one in record.operations] == [1] * 4


def test_an_operation_that_times_out_counts_at_its_limit(server):
    step = get(server, "/slow/20", timeout=Duration(200 * 10**6), allow=("timeout",))
    result, record, _ = ran(load(step, workers=2, operations=2))
    assert result.error_type == ""
    assert [(one.outcome, one.error_type) for one in record.operations] == [("allowed", "timeout")] * 2
    assert all(one.end_ns - one.start_ns >= 200 * 10**6 for one in record.operations)


def test_a_driver_that_is_killed_is_an_error_that_says_so(server, monkeypatch):
    started = []
    real = module.in_processes

    def spying(name):
        start, most = real(name)

        def starting(*arguments):
            started.append(start(*arguments))
            return started[-1]

        return starting, most

    monkeypatch.setattr(module, "in_processes", spying)
    step = load(get(server), workers=2, duration=Duration(50 * 10**9), think=Duration(10**6))
    result, record, _ = ran(step, begun=lambda: os.kill(started[0].pid, signal.SIGKILL))
    assert result.error_type == "engine"
    assert f"the driver process {started[0].pid} was ended by SIGKILL" in result.message
    assert record.reason in result.message
    for driver in started:
        with pytest.raises(ProcessLookupError):
            os.kill(driver.pid, 0)


def test_a_workload_that_is_interrupted_ends_its_drivers(server):
    begun = threading.Event()
    stops = []
    threading.Thread(target=lambda: (begun.wait(60), stops[0].request()), daemon=True).start()
    step = load(get(server, "/slow/0.01"), workers=2, duration=Duration(50 * 10**9))
    result, record, _ = ran(step, begun=begun.set, stop=stops.append)
    assert result.error_type == "not_started"
    assert "the run was interrupted" in result.message
    assert len(record.operations) < 10_000


def test_the_time_of_the_step_ends_it_and_counts_what_was_under_way(server):
    step = load(get(server, "/slow/30"), workers=2, operations=10)
    result, record, _ = ran(step, Limits(timeout=Duration(4 * 10**9)))
    assert result.error_type == "timeout"
    assert "of 10 operations were begun: 4s passed before it was done" in result.message
    assert {(one.outcome, one.error_type) for one in record.operations} <= {("failed", "timeout")}


def test_what_needs_the_engine_is_done_by_this_process():
    step = Step(name="ask", action=ExecAction(service="api", command=("true",)))
    _, record, _ = ran(load(step, workers=2, operations=6))
    assert len(record.operations) == 6


def test_a_template_without_a_value_is_said():
    bad = Step(name="get", action=HttpAction(service="api", path=text("…", ("captured.none",))))
    result, _, _ = ran(load(bad, operations=3))
    assert result.error_type == "not_started"
    assert "none" in result.message


def test_results_of_operations_are_judged_like_those_of_steps():
    step = Step(name="get", action=HttpAction(service="api"))
    well = ActionResult(status=200, json={"id": 7, "b": 2}, has_json=True, value={"id": 7, "b": 2})
    bad = ActionResult(error_type="http_status", status=404, value="x")
    assert judge_operation(step, well, {}) == Verdict("ok", "", {"id": 7, "b": 2})
    assert judge_operation(step, bad, {}) == Verdict("failed", "http_status", "x")
    assert judge_operation(replace(step, allow=("http_status",)), bad, {}).outcome == "allowed"
    expecting = replace(step, expect=StepExpect(status=eq(404)))
    assert judge_operation(expecting, bad, {}).outcome == "ok"
    assert judge_operation(replace(step, expect=StepExpect(json={"id": cmp(gt=7)})), well, {}).outcome == "failed"
    one = replace(step, capture=(Capture(name="id", by="json", source="id"),))
    assert judge_operation(one, well, {}).value == 7
    two = replace(one, capture=(*one.capture, Capture(name="b", by="json", source="b")))
    assert judge_operation(two, well, {}).value == {"id": 7, "b": 2}
    assert judge_operation(one, ActionResult(status=200, body="no json"), {}).outcome == "failed"


def journal(**counts):
    operations = Operations()
    for outcome, errors in counts.items():
        for error in errors:
            operations.append(
                Journalled(index=0, worker=0, name="get", intended_ns=1, start_ns=1, end_ns=2, outcome=outcome,
                           error_type=error)
            )  # fmt: skip
    return operations


@pytest.mark.parametrize(
    ("operations", "spoken", "kind", "words"),
    [
        (journal(ok=[""] * 3), False, "", ""),
        (journal(), False, "not_started", "no operation was begun"),
        (journal(ok=[""], failed=["timeout", "", "timeout"]), False, "timeout",
         f"3 of 4 operations failed: {ADVICE} (timeout 2, a broken expect 1)"),
        (journal(ok=[""], failed=["timeout"]), True, "", ""),
        (journal(failed=["timeout"] * 2), True, "timeout", "none of 2 operations succeeded (timeout 2)"),
        (journal(allowed=["timeout"] * 2), False, "", ""),
        (journal(allowed=["timeout"], failed=["redis"]), True, "redis", "none of 2 operations succeeded (redis 1)"),
    ],
)  # fmt: skip
def test_what_the_operations_make_of_the_step(operations, spoken, kind, words):
    record = WorkloadRecord(name="load", step="load", workers=1, began_ns=1, ended_ns=9, operations=operations)
    result = result_of(record, Performance(operations=operations), spoken=spoken)
    assert (result.error_type, result.message) == (kind, words)
    assert result.json["operations"] == len(operations)


@pytest.mark.parametrize(
    ("expect", "speaks"),
    [
        (None, False),
        (Expect(), False),
        (Expect(resilience=(ResilienceExpectation(figure="success_rate", comparator=cmp(gte=0.5)),)), True),
        (Expect(resilience=(ResilienceExpectation(figure="availability", comparator=eq(1), journal="load"),)), True),
        (Expect(resilience=(ResilienceExpectation(figure="success_rate", comparator=cmp(gte=1), journal="x"),)), False),
        (Expect(resilience=(ResilienceExpectation(figure="success_rate", comparator=eq(1), level="warning"),)), False),
        (Expect(resilience=(ResilienceExpectation(figure="success_rate", comparator=eq(1), during="slow"),)), False),
        (Expect(resilience=(ResilienceExpectation(figure="latency.max", comparator=cmp(lte=1)),)), False),
        (Expect(invariants=(Invariant(id="e", check=ErrorClassesInvariant(journal="load", only=("timeout",))),)), True),
        (Expect(invariants=(Invariant(id="e", check=ErrorClassesInvariant(journal="x", only=("timeout",))),)), False),
    ],
)  # fmt: skip
def test_expectations_that_speak_of_failures(expect, speaks):
    assert speaks_of_failures((None, expect), "load") is speaks


def judged(operations, *, spoken=False, found=None, **fields):
    """Return the record of a workload step with these operations, and why it was ended before its time."""
    kind, message = found or ("", "")
    reason = f"cut: {message}" if message else ""
    record = WorkloadRecord(
        name="load", step="load", workers=1, began_ns=1, ended_ns=9, operations=operations, reason=reason
    )
    result = result_of(record, Performance(operations=operations, error_type=kind, message=message), spoken=spoken)
    return record_of(replace(load(get_nothing()), **fields), Timed(result, 1, 9))


def get_nothing():
    return Step(name="get", action=HttpAction(service="api"))


CUT = ("timeout", "2s passed before it was done")


@pytest.mark.parametrize(
    ("operations", "found", "spoken", "outcome"),
    [
        (journal(ok=[""], failed=["timeout"]), None, False, "passed"),
        (journal(ok=[""], failed=["timeout", "timeout", "redis"]), None, False, "failed"),
        (journal(ok=[""], failed=["timeout", "timeout", ""]), None, False, "failed"),
        (journal(ok=[""]), CUT, False, "passed"),
        (journal(ok=[""], failed=["redis"]), CUT, False, "failed"),
        (journal(ok=[""], failed=["redis"]), CUT, True, "passed"),
        (journal(failed=["redis"]), CUT, True, "failed"),
        (journal(), CUT, False, "failed"),
        (journal(), CUT, True, "failed"),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "fields", [{"allow": ("timeout",)}, {"expect": StepExpect(error_type=eq("timeout"))}], ids=list
)
def test_what_a_step_allows_hides_no_other_failure(operations, found, spoken, outcome, fields):
    assert judged(operations, spoken=spoken, found=found, **fields).outcome == outcome


def test_broken_expectations_are_not_what_was_never_begun():
    assert judged(journal(ok=[""], failed=[""]), allow=("not_started",)).outcome == "failed"


def test_several_kinds_of_failures_may_all_be_wanted():
    assert judged(journal(ok=[""], failed=["timeout", "redis"])).failed_as_said
    assert not judged(journal(), found=CUT).failed_as_said

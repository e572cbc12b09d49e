from __future__ import annotations

import io
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.drive.workload.job import Job, receive_job, send_job
from cleanroom.quantity import Duration
from cleanroom.spec.generator import IntegerGenerator
from cleanroom.spec.query import HttpAction
from cleanroom.spec.step import Step
from cleanroom.spec.templates.runtime_text import Expression, RuntimeText
from cleanroom.spec.workload import Operation, Workload

TEXT = RuntimeText("/{{ worker }}", ("/", Expression("worker", frozenset({"worker"}), {})))
READ = Step(name="read", action=HttpAction(service="api", path=TEXT))
WRITE = Step(name="write", action=HttpAction(service="api", method="POST"))
JOB = Job(
    workload=Workload(
        workers=3, operations=10, vars={"n": IntegerGenerator()},
        mix=(Operation(step=READ, weight=3), Operation(step=WRITE)),
    ),
    mine=(0, 1, 2), stream="ab" * 32, addresses={"api": "127.0.0.1"}, trace="c" * 16,
)  # fmt: skip


def test_a_job_arrives_as_it_was_sent():
    pipe = io.BytesIO()
    send_job(JOB, pipe)
    pipe.seek(0)
    found = receive_job(pipe)
    assert found == JOB
    assert found.workload.mix[0].step.action.path.parts == TEXT.parts


def test_half_a_job_is_none():
    pipe = io.BytesIO()
    send_job(JOB, pipe)
    with pytest.raises(EOFError):
        receive_job(io.BytesIO(pipe.getvalue()[:-1]))


@given(st.floats(0.1, 10_000), st.integers(1, 100 * 10**9))
def test_an_open_rate_begins_what_lies_before_the_end(rate, duration):
    job = replace(JOB, workload=Workload(rate=rate, duration=Duration(duration), mix=JOB.workload.mix))
    assert job.count is not None
    assert job.count >= 1
    assert job.intended(job.count - 1) < duration <= job.intended(job.count)


def test_a_closed_loop_has_no_schedule():
    closed = replace(JOB, workload=Workload(duration=Duration(5), mix=JOB.workload.mix))
    assert (closed.count, closed.intended(3), JOB.count) == (None, None, 10)


def test_what_is_done_depends_on_the_number_and_the_seed_alone():
    again = replace(JOB, mine=(1,))
    assert [JOB.step(n).name for n in range(100)] == [again.step(n).name for n in range(100)]
    assert [JOB.values(n) for n in range(100)] == [again.values(n) for n in range(100)]
    other = replace(JOB, stream="cd" * 32)
    assert [JOB.values(n) for n in range(100)] != [other.values(n) for n in range(100)]
    chosen = Counter(JOB.step(n).name for n in range(4000))
    assert 0.72 < chosen["read"] / 4000 < 0.78


def test_every_operation_has_a_trace_of_its_own():
    found = {JOB.trace_id(n) for n in range(1000)}
    assert len(found) == 1000
    assert all(len(one) == 32 and one.startswith("c" * 16) for one in found)

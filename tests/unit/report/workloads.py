"""A scenario with a workload, for reports: 20 operations in 2 s; those from 0.6 s on suffer for half a second."""

from __future__ import annotations

from cleanroom.drive.workload.operation import Operation, Operations, WorkloadRecord
from cleanroom.run.record import IterationRecord, ResourceRecord, SuiteRecord
from tests.unit.report import runs
from tests.unit.report.runs import START, fault_record, scenario_record

MS = 10**6
HOSTILE_JOURNAL = "::error::x <script>alert(1)</script> \x1b[31m\n::warning::"
SLOW = fault_record(window=(START + 500 * MS, START + 1000 * MS), recovery=None)
COURSE = tuple(
    (due, 400, "failed") if 600 <= due < 1100 else (due, 10 + due // 100, "ok") for due in range(0, 2000, 100)
)


def journal(name, course):
    """A workload's record of (due, took, outcome) in ms."""
    kept = Operations()
    for index, (due, took, outcome) in enumerate(course):
        kept.append(
            Operation(
                index=index, worker=0, name="place", intended_ns=START + due * MS, start_ns=START + due * MS,
                end_ns=START + (due + took) * MS, outcome=outcome, error_type="" if outcome == "ok" else "timeout",
            )
        )  # fmt: skip
    return WorkloadRecord(name=name, step=name, workers=1, operations=kept)


def worked(**fields):
    return scenario_record(**{"faults": (SLOW,), "workloads": (journal("orders", COURSE),), **fields})


USED = ResourceRecord(
    memory_peak=64 * 2**20, memory_peak_by="kernel", cpu_ns=1_500_000_000, open_files=40, memory_ready=2**20,
    memory_end=2 * 2**20, samples=12,
)  # fmt: skip


def with_workload(report, **fields):
    """The report of a run, with a workload in each scenario of each iteration."""
    from dataclasses import replace  # noqa: PLC0415 -- used here alone

    def changed(iteration: IterationRecord) -> IterationRecord:
        return replace(iteration, scenarios=tuple(worked(name=s.name, **fields) for s in iteration.scenarios))

    def suite(record: SuiteRecord) -> SuiteRecord:
        return replace(record, iterations=tuple(changed(i) for i in record.iterations))

    session = replace(report.session, suites=tuple(suite(s) for s in report.session.suites))
    return replace(report, session=session)


def working(**fields):
    return with_workload(runs.passing(), **fields)

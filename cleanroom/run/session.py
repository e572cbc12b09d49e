"""A session: suites after one another, the iterations of each as many at a time as there are slots."""

from __future__ import annotations

import queue
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from cleanroom.errors import CleanroomError
from cleanroom.plan.model import Plan
from cleanroom.run.events import Event
from cleanroom.run.iteration import Iteration
from cleanroom.run.journal import Journal
from cleanroom.run.ports import Ports
from cleanroom.run.record import IterationRecord, SuiteRecord, Trouble
from cleanroom.run.tracing import StartTrace
from cleanroom.run.trouble import trouble_of


def _always(_plan: Plan, _done: Sequence[SuiteRecord]) -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOptions:
    """How many iterations run at a time at most; the ports' network has at least as many slots."""

    parallel: int
    admit: Callable[[Plan, Sequence[SuiteRecord]], bool] = _always
    """Whether a suite starts, after those that ran."""


def run_suites(
    ports: Ports, plans: tuple[Plan, ...], options: SessionOptions, journal: Journal, start_trace: StartTrace
) -> tuple[SuiteRecord, ...]:
    """Run every plan that is admitted to its end; trouble is in the records. After an interrupt none is started."""
    records: list[SuiteRecord] = []
    for plan in plans:
        if ports.stop.requested:
            break
        if not options.admit(plan, records):
            continue
        ports.listen(Event(kind="suite", text=plan.suite.file, suite=plan.suite.name))
        try:
            journal.plan(plan)
        except CleanroomError as err:
            # What the journal cannot hold cannot be judged again; the suites before this one still count.
            records.append(SuiteRecord(plan=plan, trouble=trouble_of(err)))
            continue
        runner = Iteration(ports, plan, journal, start_trace)
        began = ports.clock.monotonic()
        records.append(_run_suite(ports, plan, options, runner.run))
        seconds = ports.clock.monotonic() - began
        ports.listen(Event(kind="suite", text=plan.suite.file, suite=plan.suite.name, seconds=seconds))
    return tuple(records)


def _run_suite(
    ports: Ports, plan: Plan, options: SessionOptions, run: Callable[[int, int], IterationRecord]
) -> SuiteRecord:
    width = max(1, min(options.parallel, plan.suite.determinism.parallel or options.parallel, plan.iterations))
    slots: queue.SimpleQueue[int] = queue.SimpleQueue()
    for slot in range(width):
        slots.put(slot)
    broken: list[IterationRecord] = []

    def one(index: int) -> IterationRecord | None:
        # What broke one iteration would break the next in the same way, after the same wait.
        if ports.stop.requested or broken:
            return None
        slot = slots.get()
        try:
            record = run(index, slot)
        finally:
            slots.put(slot)
        if record.trouble is not None or any(s.trouble is not None for s in record.scenarios):
            broken.append(record)
        return record

    trouble: Trouble | None = None
    done: list[IterationRecord] = []
    with ThreadPoolExecutor(max_workers=width, thread_name_prefix="iteration") as pool:
        futures = [pool.submit(one, index) for index in range(plan.iterations)]
        for future in futures:
            try:
                record = future.result()
            except CleanroomError as err:
                trouble = trouble_of(err)
            else:
                done.extend([record] if record is not None else [])
    return SuiteRecord(plan=plan, iterations=tuple(done), trouble=trouble)

"""The workers of one process: a thread each, with a session of its own, and a row for every operation."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, TypeAlias

from cleanroom.canonical import Json
from cleanroom.drive.reach import Limits
from cleanroom.drive.result import ActionResult
from cleanroom.drive.retry import is_tried_again, pauses
from cleanroom.drive.workload.operation import OperationOutcome
from cleanroom.spec.step import Step
from cleanroom.spec.templates.expression import ExpressionError
from cleanroom.spec.templates.late import evaluated

if TYPE_CHECKING:
    from cleanroom.drive.workload.job import Job

Row: TypeAlias = tuple[int, str, int, int, int, OperationOutcome, str, int, Json]
"""(worker, step, intended, start, end, outcome, error type, attempts, value); times on `time.monotonic_ns()`."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a result means for its operation."""

    outcome: OperationOutcome
    error_type: str
    value: Json = None


Judge: TypeAlias = Callable[[Step, ActionResult, Mapping[str, object]], Verdict]
"""(the operation's step, its result, run-time names of its templates) → what it means."""


class Numbered(int):
    """`operation` in templates: its number from 0, and under their names the values that were drawn for it."""

    values_by_name: Mapping[str, Json]

    @classmethod
    def of(cls, number: int, values: Mapping[str, Json]) -> Numbered:
        """Return the number with its values."""
        found = cls(number)
        found.values_by_name = values
        return found

    def __len__(self) -> int:
        return len(self.values_by_name)

    def __contains__(self, name: object) -> bool:
        return name in self.values_by_name

    def __getitem__(self, name: str) -> Json:
        return self.values_by_name[name]

    def values(self) -> Iterable[Json]:
        """Return the values."""
        return self.values_by_name.values()


# Templates look up names in mappings only.
Mapping.register(Numbered)


class Session(Protocol):
    """A worker's own connections, used by one thread."""

    def open(self, step: Step) -> None:
        """Connect to where the step goes; what fails is left to its first operation. Never raises."""

    def perform(self, step: Step, limits: Limits, context: str) -> ActionResult:
        """Carry out its action; never raises."""

    def close(self) -> None:
        """End the connections."""


class Crew:
    """The workers of `job.mine`; `emit` is called by any of their threads with one row after the other."""

    def __init__(
        self, job: Job, open_session: Callable[[], Session], judge: Judge, emit: Callable[[Row], None]
    ) -> None:
        self._job = job
        self._judge = judge
        self._emit = emit
        self._began_ns = 0
        self._go = threading.Event()
        self._stopped = threading.Event()
        self._sessions = threading.Barrier(len(job.mine) + 1)
        self._open_first = job.workload.barrier or job.workload.rate is not None
        self._threads = [
            threading.Thread(target=self._work, args=(number, open_session()), name=f"worker-{number}", daemon=True)
            for number in job.mine
        ]
        self._under_way: dict[int, tuple[str, int, int]] = {}
        self.failure = ("", "")
        """(Error type, one line) of what ended a worker before its time: a template without a value, a defect."""

    def prepare(self) -> None:
        """Start the threads; return when all are ready: with their sessions, where they begin together."""
        for thread in self._threads:
            thread.start()
        self._sessions.wait()

    def begin(self, at_ns: int) -> None:
        """Let the operations begin at `at_ns` on `time.monotonic_ns()`."""
        self._began_ns = at_ns
        self._go.set()

    def stop(self) -> None:
        """Begin no more operations."""
        self._stopped.set()
        self._go.set()

    @property
    def stopped(self) -> bool:
        """Whether no more operations are begun."""
        return self._stopped.is_set()

    def join(self, seconds: float) -> bool:
        """Wait for all workers; return whether they have ended."""
        end = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def unfinished(self) -> list[Row]:
        """Return the operations that are still under way, as timed out now."""
        now = time.monotonic_ns()
        return [
            (worker, name, intended, start, now, "failed", "timeout", 1, None)
            for worker, (name, intended, start) in list(self._under_way.items())
        ]

    def _work(self, worker: int, session: Session) -> None:
        if self._open_first:
            for each in self._job.workload.mix:
                session.open(self._evaluated_or_not(each.step, worker))
        self._sessions.wait()
        self._go.wait()
        try:
            if not self._stopped.is_set():
                self._operations(worker, session)
        except ExpressionError as err:
            # A template without a value is no failure of the system: nothing that is allowed can mean it.
            self._fail("not_started", str(err))
        except Exception as err:  # noqa: BLE001 - a defect of ours must be told, and must not look like a slow service
            self._fail("engine", f"worker {worker} failed: {type(err).__name__}: {err}")
        finally:
            session.close()

    def _fail(self, error_type: str, message: str) -> None:
        self.failure = (error_type, message)
        self._stopped.set()

    def _evaluated_or_not(self, step: Step, worker: int) -> Step:
        """Return the step as the worker's first operation has it, as far as its templates have values."""
        try:
            return replace(step, action=evaluated(step.action, self._known(worker, worker)))
        except ExpressionError:
            return step

    def _known(self, worker: int, number: int) -> dict[str, object]:
        return {**self._job.known, "worker": worker, "operation": Numbered.of(number, self._job.values(number))}

    def _operations(self, worker: int, session: Session) -> None:
        think = self._job.workload.think.seconds
        for number in self._numbers(worker):
            known = self._known(worker, number)
            step = self._job.step(number)
            # All that can be done before the operation is: what it measures is the service.
            ready = replace(step, action=evaluated(step.action, known))
            offset = self._job.intended(number)
            if offset is None and think and number >= self._job.workload.workers and self._stopped.wait(think):
                return
            self._sleep_until(self._began_ns + (offset or 0))
            if self._stopped.is_set() or (offset is None and self._is_over()):
                return
            self._operation((worker, number, ready), offset, session, known)

    def _numbers(self, worker: int) -> Iterator[int]:
        number, count, workers = worker, self._job.count, self._job.workload.workers
        while count is None or number < count:
            yield number
            number += workers

    def _is_over(self) -> bool:
        duration = self._job.workload.duration
        return duration is not None and time.monotonic_ns() >= self._began_ns + duration.ns

    def _sleep_until(self, at_ns: int) -> None:
        """Wait, and wake up at once when it is stopped; the last moments are slept exactly."""
        while (left := at_ns - time.monotonic_ns()) > 0 and not self._stopped.is_set():
            if left > _COARSE:
                self._stopped.wait((left - _COARSE // 2) / 10**9)
            else:
                time.sleep(left / 10**9)

    def _operation(
        self, what: tuple[int, int, Step], offset: int | None, session: Session, known: dict[str, object]
    ) -> None:
        worker, number, step = what
        start = time.monotonic_ns()
        intended = start if offset is None else self._began_ns + offset
        self._under_way[worker] = (step.name, intended, start)
        verdict, attempts, end = self._attempts((number, step), session, known)
        value = verdict.value if verdict.outcome == "ok" else None
        self._emit((worker, step.name, intended, start, end, verdict.outcome, verdict.error_type, attempts, value))
        self._under_way.pop(worker, None)

    def _attempts(self, what: tuple[int, Step], session: Session, known: dict[str, object]) -> tuple[Verdict, int, int]:
        """Return (what it came to, how many attempts, when the last one ended)."""
        number, step = what
        retry = step.retry or self._job.workload.retry
        limits = Limits(timeout=step.timeout, grace=step.grace)
        waits = pauses(retry, self._job.jitter(number)) if retry is not None else iter(())
        context = f"00-{self._job.trace_id(number)}-{number + 1:016x}-01"
        attempt = 1
        while True:
            start = time.monotonic_ns()
            result = session.perform(step, limits, context)
            end = time.monotonic_ns()
            if result.error_type == "timeout":
                end = max(end, start + step.timeout.ns)
            verdict = self._judge(step, result, known)
            again = retry is not None and attempt < retry.attempts and verdict.outcome != "ok"
            if not again or retry is None or not is_tried_again(retry, verdict.error_type, step.allow):
                return verdict, attempt, end
            if self._stopped.wait(next(waits).seconds):
                return verdict, attempt, end
            attempt += 1


_COARSE = 2_000_000
"""Nanoseconds: a wait on an event ends some tens of microseconds late, a sleep of a thread whose slack is small not."""

"""Has a workload carried out: drivers up, operations begun together, watched to their end or stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from cleanroom.drive.workload.driver import GIVEN_UP_S
from cleanroom.drive.workload.drivers import Done, Driver, Rows, how_many, offset_of, split
from cleanroom.drive.workload.local import LocalDriver
from cleanroom.drive.workload.operation import Operations
from cleanroom.errors import CleanroomError

if TYPE_CHECKING:
    from cleanroom.drive.reach import Limits, Reach
    from cleanroom.drive.workload.crew import Judge, Session
    from cleanroom.drive.workload.job import Job

_LEAD_NS: Final = 5_000_000
"""From the word to begin until the first operation: time for the word to reach every driver."""
_LOOK_S: Final = 0.05
_PATIENCE_S: Final = GIVEN_UP_S + 4.0


class AnyDriver(Protocol):
    """Workers somewhere: in a process of their own, or in this one."""

    ready: bool
    done: Done | None
    workers: tuple[int, ...]

    def say(self, word: str) -> None:
        """Send one line."""

    def end(self) -> None:
        """End it and give everything back."""


Start: TypeAlias = "Callable[[Job, Rows, Callable[[], None]], AnyDriver]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """What became of a workload; times in nanoseconds since the epoch, 0 for what never came."""

    operations: Operations
    began_ns: int = 0
    ended_ns: int = 0
    cpu_ns: int = 0
    error_type: str = ""
    """Why it was ended before its time: `engine` (a driver died), `timeout`, `not_started`; empty: it was not."""
    message: str = ""


def in_processes(module: str) -> tuple[Start, int]:
    """Return how to start drivers of `module` in processes of their own, and how many at most."""
    return lambda job, rows, news: Driver(module, job, rows, news), 0


def in_this_process(open_session: Callable[[], Session], judge: Judge) -> tuple[Start, int]:
    """Return how to start the one driver whose workers are threads of this process: what they do needs the engine."""
    return lambda job, rows, news: LocalDriver(job, rows, news, open_session, judge), 1


class _Watch:
    """The drivers of one workload while they work."""

    def __init__(self, reach: Reach, limits: Limits) -> None:
        self._reach = reach
        self._deadline = time.monotonic() + limits.timeout.seconds
        self._limit = limits.timeout
        self._news = threading.Condition()
        self.drivers: list[AnyDriver] = []
        self.why = ("", "")

    def news(self) -> None:
        """Wake up whoever waits."""
        with self._news:
            self._news.notify_all()

    def until(self, holds: Callable[[AnyDriver], bool], end: float | None = None) -> bool:
        """Wait until it holds of every driver; return whether it does, with `why` set where it came otherwise.

        `end`, on `time.monotonic()`, ends the wait without any reason.
        """
        while True:
            failed = next((d.done.failure for d in self.drivers if d.done and d.done.failure[0]), None)
            if failed:
                self.why = failed
            elif self._reach.stop.requested:
                self.why = ("not_started", "the run was interrupted")
            elif all(holds(driver) for driver in self.drivers):
                return True
            elif time.monotonic() >= self._deadline:
                self.why = ("timeout", f"{self._limit} passed before it was done")
            if self.why[0] or (end is not None and time.monotonic() >= end):
                return False
            with self._news:
                self._news.wait(_LOOK_S)

    def stop(self) -> None:
        """Let no more operations begin, and wait a moment for those under way."""
        for driver in self.drivers:
            driver.say("stop")
        end = time.monotonic() + _PATIENCE_S
        while any(driver.done is None for driver in self.drivers) and time.monotonic() < end:
            with self._news:
                self._news.wait(_LOOK_S)


def perform(reach: Reach, job: Job, limits: Limits, how: tuple[Start, int], begun: Callable[[], None]) -> Performance:
    """Carry out `job` (of all workers) within `limits`; `begun` is told when its operations begin. Never hangs.

    Operations that an open rate's service has held up are still begun after `duration`, for as long as one may take.
    """
    rows = Rows(offset_of(reach.clock.now_ns()))
    watch = _Watch(reach, limits)
    start, most = how
    workers = job.workload.workers
    found = Performance(operations=rows.operations)
    try:
        for mine in split(workers, most or how_many(workers)):
            watch.drivers.append(start(replace(job, mine=mine), rows, watch.news))
        if watch.until(lambda driver: driver.ready):
            began = time.monotonic_ns() + _LEAD_NS
            for driver in watch.drivers:
                driver.say(f"begin {began}")
            begun()
            found = replace(found, began_ns=began + rows.offset_ns)
            watch.until(lambda driver: driver.done is not None, _last_moment(job, began))
        watch.stop()
    except (OSError, CleanroomError) as err:
        watch.why = ("engine", f"its drivers could not be run: {err}")
    finally:
        for driver in watch.drivers:
            driver.end()
    return _finished(found, watch.drivers, watch.why)


def _last_moment(job: Job, began_ns: int) -> float | None:
    """Return until when operations of an open rate are begun, on `time.monotonic()`."""
    work = job.workload
    if work.duration is None:
        return None
    longest = max(each.step.timeout.seconds for each in work.mix)
    return began_ns / 10**9 + work.duration.seconds + longest * (1 + _attempts(job))


def _attempts(job: Job) -> int:
    retries = [each.step.retry or job.workload.retry for each in job.workload.mix]
    return max(retry.attempts if retry is not None else 1 for retry in retries)


def _finished(found: Performance, drivers: Sequence[AnyDriver], why: tuple[str, str]) -> Performance:
    # Every driver has ended: the rows are all there.
    operations = found.operations.by_intended()
    killed = sum(driver.done is None for driver in drivers)
    if not why[0] and killed:
        why = ("engine", f"{killed} of {len(drivers)} drivers did not end when they were told to, and were killed")
    return replace(
        found, operations=operations, error_type=why[0], message=why[1],
        ended_ns=max(operations.end_ns, default=found.began_ns),
        cpu_ns=sum(driver.done.cpu_ns for driver in drivers if driver.done),
    )  # fmt: skip

"""Asking a probe until it holds: from 5 ms up to its `interval` apart, and at once when the engine tells something."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from cleanroom.clock import Deadline
from cleanroom.drive.answer import Answer
from cleanroom.drive.ask import ask
from cleanroom.drive.reach import Reach
from cleanroom.drive.result import ActionResult
from cleanroom.errors import CleanroomError
from cleanroom.quantity import Duration
from cleanroom.spec.probe import LogProbe, Probe, service_asked

FIRST_S = 0.005
FACTOR = 1.5
_LEAST_S = 0.001


def wait_until(reach: Reach, probe: Probe, context: str, timeout: Duration, service: str = "") -> Answer:
    """Ask until the probe holds or `timeout` has passed; the answer is that of the last attempt.

    One that never held says so in `why`, with what it found last; an interruption ends it at once. Never raises.
    """
    deadline = Deadline.after(reach.clock, timeout.seconds)
    attempts, pause = 0, FIRST_S
    last: Answer | None = None
    with _news(reach, probe, service) as news:
        while True:
            news.clear()
            answer = ask(reach, _within(probe, deadline), context, service)
            attempts += 1
            if answer.ok or reach.stop.requested:
                return answer
            # An attempt that the end itself cut short tells less than the one before it.
            telling = last if last is not None and answer.error_type == "timeout" else answer
            if deadline.expired():
                return _late(telling, timeout, attempts)
            last = answer
            _pause(reach, news, min(pause, probe.interval.seconds, deadline.remaining()))
            pause *= FACTOR


def result_of(answer: Answer) -> ActionResult:
    """Return an answer as the result of a step; one that was answered, and not as wanted, is `not_found`."""
    return ActionResult(
        error_type="" if answer.ok else answer.error_type or "not_found", message=answer.why, value=answer.value,
        rows=answer.rows, truncated=answer.truncated,
    )  # fmt: skip


def _within(probe: Probe, deadline: Deadline) -> Probe:
    """Return the probe with no more time for its attempt than there is left."""
    left = Duration(max(int(_LEAST_S * 1e9), int(deadline.remaining() * 1e9)))
    return probe if probe.timeout <= left else _with_timeout(probe, left)


def _with_timeout(probe: Probe, timeout: Duration) -> Probe:
    return Probe(
        question=probe.question, tolerance=probe.tolerance, timeout=timeout, interval=probe.interval,
        optional=probe.optional, at=probe.at,
    )  # fmt: skip


def _late(answer: Answer, timeout: Duration, attempts: int) -> Answer:
    times = f"{attempts} time{'' if attempts == 1 else 's'}"
    return Answer(
        ok=False, value=answer.value, why=f"not within {timeout} (asked {times}): {answer.why}",
        error_type="timeout", asked_ns=answer.asked_ns, rows=answer.rows, truncated=answer.truncated,
        optional=answer.optional, question=answer.question, service=answer.service, at=answer.at,
    )  # fmt: skip


def _pause(reach: Reach, news: threading.Event, seconds: float) -> None:
    """Wait, but not past news of the container; never less than the first pause, so that news cannot make it spin."""
    least = min(FIRST_S, seconds)
    reach.clock.sleep(least)
    if seconds > least and not reach.stop.requested:
        reach.wait(news, seconds - least)


@contextmanager
def _news(reach: Reach, probe: Probe, service: str) -> Iterator[threading.Event]:
    """Give an event that is set whenever the engine tells something of the probe's container, or it says something."""
    event = threading.Event()
    named = service_asked(probe.question) or service
    container = reach.containers[named].id if named in reach.containers else ""
    ends = []
    try:
        if container:
            try:
                ends.append(reach.engine.follow_events(container, lambda _what: event.set()))
                if isinstance(probe.question, LogProbe):
                    ends.append(reach.engine.follow_logs(container, lambda _data: event.set()))
            except CleanroomError:
                # Without news the polling goes on; what is wrong with the engine or the container, the probe will say.
                event.clear()
        yield event
    finally:
        for end in ends:
            end()

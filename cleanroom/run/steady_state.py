"""The steady state of a scenario: its probes before the steps, while they run, and after them (spec.md section 4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from cleanroom.drive.answer import Answer
from cleanroom.drive.ask import ask
from cleanroom.drive.reach import Reach
from cleanroom.run.record import SteadyRecord
from cleanroom.run.repeating import repeating
from cleanroom.run.tracing import OpenSpan, Tracer
from cleanroom.spec.source import Position
from cleanroom.spec.steady_state import SteadyState

MOST_KEPT = 200
"""Failed answers that are kept of the rounds while the steps run, besides the first of each probe; all are counted."""


class SteadyWatch:
    """Asks the probes of one scenario and keeps what they found; without a steady state it does nothing."""

    def __init__(
        self, wanted: SteadyState | None, reach: Callable[[], Reach], issue: Callable[[], str],
        spans: tuple[Tracer, OpenSpan],
    ) -> None:  # fmt: skip
        """`issue` gives the trace of each phase's traffic; `spans` are the tracer and the scenario's span."""
        self._wanted = wanted
        self._reach = reach
        self._issue = issue
        self._tracer, self._parent = spans
        self.records: tuple[SteadyRecord, ...] = ()

    @property
    def broken_before(self) -> bool:
        """Whether it was broken before the steps, so that they were not run."""
        return any(record.phase == "before" and record.broken for record in self.records)

    def before(self) -> bool:
        """Ask before the steps; return whether they may run."""
        wanted = self._wanted
        if wanted is None or "before" not in wanted.when:
            return True
        return not self._once("before").broken

    def after(self) -> None:
        """Ask after the steps, when the faults have ended."""
        if self._wanted is not None and "after" in self._wanted.when:
            self._once("after")

    @contextmanager
    def during(self) -> Iterator[None]:
        """Ask again and again while the block runs."""
        wanted = self._wanted
        if wanted is None or wanted.during is None:
            yield
            return
        rounds = Rounds()
        context = self._issue()
        start = self._reach().clock.now_ns()
        opened = self._open("during")
        try:
            with repeating(lambda: rounds.add(self._round(context)), wanted.during, self._reach().stop):
                yield
        finally:
            record = SteadyRecord(
                phase="during", rounds=rounds.count, failed_rounds=rounds.failed, answers=tuple(rounds.kept),
                start_ns=start, end_ns=self._reach().clock.now_ns(),
            )  # fmt: skip
            self._close(opened, record)

    def _once(self, phase: Literal["before", "after"]) -> SteadyRecord:
        start = self._reach().clock.now_ns()
        opened = self._open(phase)
        answers = self._round(self._issue())
        failed = int(any(not answer.ok for answer in answers))
        record = SteadyRecord(
            phase=phase, rounds=1, failed_rounds=failed, answers=answers, start_ns=start,
            end_ns=self._reach().clock.now_ns(),
        )  # fmt: skip
        self._close(opened, record)
        return record

    def _round(self, context: str) -> tuple[Answer, ...]:
        probes = self._wanted.probes if self._wanted is not None else ()
        # A fault may have put another container in the place of one since the last round.
        reach = self._reach()
        return tuple(ask(reach, probe, context) for probe in probes)

    def _open(self, phase: str) -> OpenSpan:
        probes = len(self._wanted.probes) if self._wanted is not None else 0
        facts: dict[str, str | int] = {"phase": phase, "probes": probes}
        return self._tracer.start("cleanroom.steady_state", facts, parent=self._parent)

    def _close(self, opened: OpenSpan, record: SteadyRecord) -> None:
        opened.set({"failed": record.failed})
        if record.broken:
            opened.error("the steady state was broken")
        opened.end()
        self.records = (*self.records, record)


class Rounds:
    """What the rounds found: the whole first one, then failures, bounded."""

    def __init__(self) -> None:
        self.count = 0
        self.failed = 0
        self.kept: list[Answer] = []
        self._known: set[tuple[str, Position]] = set()

    def add(self, answers: tuple[Answer, ...]) -> None:
        """Take note of one round."""
        bad = [answer for answer in answers if not answer.ok]
        kept = answers if not self.count else bad
        self.count += 1
        self.failed += bool(bad)
        # However often one has failed already: the first failure of another is what decides.
        self.kept += [a for a in kept if len(self.kept) < MOST_KEPT or (a.question, a.at) not in self._known]
        self._known.update((answer.question, answer.at) for answer in bad)

"""What invariants are judged by, asked when the steps and faults have ended and before anything is torn down.

`single_leader` alone is asked while the steps run. The raw answers go into the record: judging needs no engine.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from cleanroom.drive.answer import Answer
from cleanroom.drive.ask import ask
from cleanroom.drive.question import to_service
from cleanroom.drive.reach import Reach
from cleanroom.quantity import Duration
from cleanroom.run.record import InvariantRecord, LeaderRecord
from cleanroom.run.repeating import repeating
from cleanroom.spec.expect import Expect
from cleanroom.spec.invariant import (
    AcknowledgedInvariant,
    Check,
    ColumnInvariant,
    DeltaInvariant,
    HoldsInvariant,
    Invariant,
    OrphansInvariant,
    ReconcileInvariant,
    RowOrderInvariant,
    SingleLeaderInvariant,
    SnapshotInvariant,
)
from cleanroom.spec.probe import HttpProbe, Probe, service_asked
from cleanroom.spec.query import HttpAction, Query
from cleanroom.spec.scenario import Scenario
from cleanroom.spec.suite import Suite
from cleanroom.spec.templates.expression import ExpressionError
from cleanroom.spec.templates.late import evaluated

QUERY_TIMEOUT = Duration(30 * 10**9)
"""Of one question in the end: a query of all rows takes longer than a probe may."""
MOST_CROWDED = 20


def invariants_of(suite: Suite, scenario: Scenario) -> tuple[tuple[Invariant, bool], ...]:
    """Return the invariants that are asked of a scenario, each with whether it stands in the suite's own `expect`."""
    own: tuple[tuple[Expect | None, bool], ...] = ((scenario.expect, False), (suite.expect, True))
    return tuple((found, whole) for expect, whole in own if expect is not None for found in expect.invariants)


class InvariantWatch:
    """Asks what the invariants of one scenario are judged by."""

    def __init__(self, suite: Suite, scenario: Scenario, reach: Callable[[], Reach], issue: Callable[[], str]) -> None:
        """`issue` gives the trace of the traffic."""
        self._wanted = invariants_of(suite, scenario)
        self._reach = reach
        self._issue = issue
        self._leaders: dict[int, _Leaders] = {}

    @contextmanager
    def during(self) -> Iterator[None]:
        """Ask who leads while the block runs."""
        with ExitStack() as stack:
            for place, (invariant, _) in enumerate(self._wanted):
                check = invariant.check
                if isinstance(check, SingleLeaderInvariant):
                    leaders = self._leaders[place] = _Leaders(check, self._reach, self._issue())
                    stack.enter_context(repeating(leaders.ask, check.interval, self._reach().stop))
            yield

    def ask(self, snapshots: Mapping[str, Probe], known: Mapping[str, object]) -> tuple[InvariantRecord, ...]:
        """Ask everything else, in the order of the spec.

        `snapshots` has the question of each that was taken, `known` the run-time names of templates.
        """
        if not self._wanted:
            return ()
        context = self._issue()
        found = []
        for place, (invariant, whole) in enumerate(self._wanted):
            leaders = self._leaders[place].record if place in self._leaders else None
            journal = str(getattr(invariant.check, "journal", ""))
            record = InvariantRecord(id=invariant.id, of_suite=whole, leaders=leaders, journal=journal)
            try:
                check = evaluated(invariant.check, known)
            except ExpressionError as err:
                unknown = Answer(ok=False, why=str(err), error_type="not_started", at=invariant.at)
                found.append(replace(record, answers=(unknown, unknown)))
                continue
            answers = tuple(ask(self._reach(), probe, context) for probe in _questions(check, snapshots))
            found.append(replace(record, answers=answers, journal=str(getattr(check, "journal", ""))))
        return tuple(found)


def _questions(check: Check, snapshots: Mapping[str, Probe]) -> Iterable[Probe]:
    match check:
        case SnapshotInvariant(snapshot=name) | DeltaInvariant(snapshot=name):
            # Its value is compared, whatever was tolerated then.
            return (patient(replace(snapshots[name], tolerance=None)),) if name in snapshots else ()
        case ColumnInvariant() | OrphansInvariant() | RowOrderInvariant():
            return (probe_of(check.sql),)
        case ReconcileInvariant():
            return (probe_of(check.left), probe_of(check.right))
        case AcknowledgedInvariant():
            return (probe_of(check.present),)
        case HoldsInvariant(probe=probe):
            return (probe,)
        case _:
            return ()


def probe_of(query: Query) -> Probe:
    """Return a query as a probe that holds when it is answered."""
    question = HttpProbe(request=query) if isinstance(query, HttpAction) else query
    return Probe(question=question, timeout=QUERY_TIMEOUT)


def patient(probe: Probe) -> Probe:
    """Return the probe with no less time than a query has."""
    return probe if probe.timeout.ns >= QUERY_TIMEOUT.ns else replace(probe, timeout=QUERY_TIMEOUT)


class _Leaders:
    """Who said that they lead, round by round."""

    def __init__(self, check: SingleLeaderInvariant, reach: Callable[[], Reach], context: str) -> None:
        self._check = check
        self._reach = reach
        self._context = context
        self.record = LeaderRecord(rounds=0)

    def ask(self) -> None:
        reach = self._reach()
        when = reach.clock.now_ns()
        named = service_asked(self._check.probe.question)
        led = tuple(name for name in replicas(named, reach.containers) if self._leads(reach, name).ok)
        before = self.record
        crowded = before.crowded
        if len(led) > self._check.at_most and len(crowded) < MOST_CROWDED:
            crowded = (*crowded, (when, led))
        self.record = LeaderRecord(
            rounds=before.rounds + 1, most=max(before.most, len(led)), led=before.led + bool(led), crowded=crowded
        )

    def _leads(self, reach: Reach, replica: str) -> Answer:
        probe = self._check.probe
        return ask(reach, replace(probe, question=to_service(probe.question, replica)), self._context)


def replicas(service: str, known: Iterable[str]) -> tuple[str, ...]:
    """Return the replicas of a service by name: itself, or `<service>-1`, `<service>-2` … where it has several."""
    names = tuple(known)
    if service in names:
        return (service,)
    return tuple(sorted(name for name in names if re.fullmatch(rf"{re.escape(service)}-\d+", name)))

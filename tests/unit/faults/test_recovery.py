from __future__ import annotations

from dataclasses import replace

import pytest

from cleanroom.errors import EngineError, InterruptedRunError
from cleanroom.faults.recovery import bring_back, recover
from tests.unit.faults.scenes import Engine, Time, context


@pytest.fixture
def engine() -> Engine:
    return Engine(Time(), "api", "db")


def test_the_time_counts_from_the_instant_given_to_the_last_target_that_is_ready(engine):
    engine.end("db")
    engine.time.seconds = 2.0
    found = recover(context(engine), ("db",), 1.5, "start")
    assert (found.strategy, found.success, found.reason) == ("start", True, "")
    assert found.duration_ns == 750_000_000
    assert engine.states["db"].status == "running"


def test_every_target_is_brought_back_and_the_slowest_counts(engine):
    found = recover(context(engine), ("api", "db"), 0.0, "heal")
    assert sorted(engine.revived) == ["api", "db"]
    assert (found.duration_ns, found.success) == (500_000_000, True)


@pytest.mark.parametrize("error", [EngineError("api was not ready within 30s"), InterruptedRunError("given up: api")])
def test_one_that_does_not_come_back_is_a_failed_recovery_and_the_others_are_brought_back(engine, error):
    def revive(name: str) -> None:
        engine.revive(name)
        if name == "api":
            raise error

    found = recover(replace(context(engine), revive=revive), ("api", "db"), 0.0, "failover")
    assert (found.success, found.reason, found.strategy) == (False, error.message, "failover")
    assert sorted(engine.revived) == ["api", "db"]


def test_nobody_to_wait_for_took_no_time(engine):
    assert recover(context(engine), (), 3.0, "heal").duration_ns == 0


def test_one_target_is_back_at_a_moment_or_says_why_not(engine):
    assert bring_back(context(engine), "db").ready == engine.time.seconds

    def never(_name: str) -> None:
        raise EngineError("")

    back = bring_back(replace(context(engine), revive=never), "db")
    assert (back.ready, back.trouble) == (None, "db did not become ready")

"""What PostgreSQL acknowledged survives a kill of its container, unless commits return before they are written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.engine.images import make_images
from tests.engine.runs import Ran, cleanroom

SCENARIO = "orders while the server is killed"


def run(engine: Any, name: str, out: Path) -> Ran:
    make_images(engine, ["cleanroom-tests/postgres:17"])
    return cleanroom(f"tests/specs/drive/{name}.cleanroom.yaml", out=out)


def checks(ran: Ran, suite: str) -> list[dict[str, Any]]:
    """Every check of the scenario, over all iterations."""
    (found,) = ran.suite(suite)["scenarios"]
    assert found["name"] == SCENARIO
    return [check for iteration in found["iterations"] for check in iteration["checks"]]


@pytest.mark.timeout(400)
def test_orders_that_were_only_in_memory_are_lost_and_both_checks_say_how_many(engine, tmp_path):
    ran = run(engine, "control-rpo", tmp_path / "out")
    assert ran.code == 1, ran.said
    broken = {c["rule"]: c["findings"][0]["found"] for c in checks(ran, "control-rpo") if c["verdict"] == "fail"}
    assert set(broken) == {
        "resilience.rpo", "invariants.acknowledged", "invariants.error_classes", "invariants.fairness",
    }, ran.said  # fmt: skip
    lost = broken["resilience.rpo"]
    assert int(lost) > 0
    assert broken["invariants.acknowledged"].startswith(f"{lost} lost: ")


@pytest.mark.full
@pytest.mark.timeout(600)
def test_what_was_written_before_it_was_acknowledged_is_never_lost(engine, tmp_path):
    ran = run(engine, "rpo", tmp_path / "out")
    assert ran.code == 0, ran.said
    suite = ran.suite("rpo")
    assert len(suite["iterations"]) == 5
    assert len({iteration["digests"]["digest"] for iteration in suite["iterations"]}) == 1
    found = checks(ran, "rpo")
    assert [c["note"] for c in found if c["rule"] == "resilience.rpo"] == ["0"] * 5
    assert [c["verdict"] for c in found if c["rule"] == "invariants.acknowledged"] == ["pass"] * 5

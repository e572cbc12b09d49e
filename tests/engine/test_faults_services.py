"""Faults of the families database, credentials, cache and custom, and controls in which they come to nothing."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from fault_specs import assert_proven, faults_of, run_families
from runs import Ran

# What make test has no time for is in make test-full.
pytestmark = pytest.mark.full

PROVEN = ("lock", "kill_sessions", "exhaust_connections", "replica", "mariadb", "rotate", "flush", "maxmemory", "slow",
          "custom")  # fmt: skip
CONTROLS = {
    "control-database": {
        "no such table": ("lock", 'relation "nowhere" does not exist'),
        "no such session": ("ended", "has 0 such sessions"),
        "fewer than are to be left": ("full", "4000 are to be left"),
        "no replica to pause": ("behind", "is no replica"),
        "no replica to promote": ("front", "is no replica"),
    },
    "control-limit": {"a user's own limit": ("full", "others still get in")},
    "control-rotate": {"nobody": ("new", "no user 'nobody'")},
    "control-cache": {
        "nothing to vanish": ("empty", "no key to vanish"),
        "room enough": ("full", "never came to its limit"),
        "dead": ("slow", "has no process"),
    },
    "control-custom": {
        "no effect": ("own", "its proof exited with 1"),
        "no such proof": ("own", "its proof could not be run"),
    },
    "control-proof": {"a proof of nothing": ("own", "it proves nothing")},
    "control-left": {"not taken back": ("own", "its proof still exits with 0")},
}
"""Suite → scenario → the fault that must not be taken for proven, and why it is not."""
CASES = [(suite, scenario) for suite, scenarios in CONTROLS.items() for scenario in scenarios]


@pytest.fixture(scope="module")
def ran(engine, tmp_path_factory) -> Ran:
    families = ("database", "credentials", "cache", "custom")
    images = ("cleanroom-tests/postgres:17", "cleanroom-tests/mariadb:11.8", "cleanroom-tests/redis:8")
    return run_families(engine, families, tmp_path_factory.mktemp("services"), *images)


@pytest.mark.parametrize("suite", PROVEN)
def test_a_fault_bites_and_is_gone(ran: Ran, suite: str):
    assert_proven(ran, suite)


@pytest.mark.parametrize(("suite", "scenario"), CASES)
def test_a_fault_without_its_effect_is_not_proven(ran: Ran, suite: str, scenario: str):
    fault, why = CONTROLS[suite][scenario]
    (found,) = [one for one in ran.suite(suite)["scenarios"] if one["name"] == scenario]
    assert found["iterations"][0]["outcome"] in ("failed", "inconclusive", "error"), found
    (record,) = [one for one in found["iterations"][0]["faults"] if one["id"] == fault]
    assert not (record["verified"] and record["reverted"]), record
    assert re.search(why, record["reason"]), record


BROKER = {"lost": "has no queue 'orders'", "alarm": "has an alarm already"}


@pytest.mark.full
def test_a_broker_is_struck_by_its_own_command_line_and_nothing_new_is_no_proof(engine, tmp_path):
    ran = run_families(engine, ("broker",), tmp_path, "cleanroom-tests/rabbitmq:4", patience=600)
    assert_proven(ran, "memory_alarm")
    found = {record["id"]: record for record in faults_of(ran, "control-broker")}
    for fault, why in BROKER.items():
        assert not found[fault]["verified"], found
        assert why in found[fault]["reason"]
    assert ran.suite("control-broker")["verdict"] == "inconclusive", ran.said

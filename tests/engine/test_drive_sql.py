"""SQL and Redis for real: what the specs below tests/specs/drive say of PostgreSQL, MariaDB and Redis, in one run."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from images import make_images
from runs import Ran, cleanroom, findings

SAID = {
    "other rows": "[{'a': 1}]",
    "an error that nobody expects": "division by zero, error type sql:22012",
    "an error that does not come": "nothing",
    "more rows than are kept": "what was not kept cannot be judged",
    "a parameter without a placeholder": "no placeholder takes the parameter 1: write $1",
    "a deadlock that never happens": "nothing",
    "two victims": "left, statement 1: division by zero; right, statement 1: division by zero",
    "a statement of a session has other rows": "[{'?column?': 1}]",
    "a barrier that one session never reaches": "waited for the barrier both in vain: never was in its statement 1",
    "another reply": "'PONG'",
    "an error of redis that nobody expects": "error type redis",
}
"""What each control is told that was found."""
SPECS = ("sql-postgresql", "sql-mariadb", "redis", "control-sql")


@pytest.fixture(scope="module")
def ran(engine, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    make_images(engine)
    specs = [f"tests/specs/drive/{name}.cleanroom.yaml" for name in SPECS]
    return cleanroom(*specs, out=tmp_path_factory.mktemp("sql"))


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", SPECS[:-1])
def test_what_is_said_of_a_server_holds_in_every_iteration(ran: Ran, name):
    suite = ran.suite(name)
    assert suite["exit_code"] == 0, ran.said
    assert len(suite["iterations"]) == 2


@pytest.mark.timeout(600)
def test_each_control_fails_and_says_why(ran: Ran):
    suite = ran.suite("control-sql")
    assert suite["exit_code"] == 1, ran.said
    # One at a time in the order of the file; a scenario that failed may be told of twice, at the same place.
    told = {finding["line"]: finding["found"] for finding in findings(suite) if finding["level"] == "error"}
    found = dict(zip(SAID, (text for _, text in sorted(told.items())), strict=True))
    assert {name: words in found[name] for name, words in SAID.items()} == dict.fromkeys(SAID, True), found

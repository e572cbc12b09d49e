"""Invariants of what PostgreSQL, Redis and journals hold, and a control for each that must be found, in one run."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from images import make_images
from runs import Ran, cleanroom, findings

SPECS = ("invariants", "control-invariants")
BROKEN = {
    "unchanged": ("unchanged", "gone: 20; new: 19"),
    "a snapshot of nothing": ("unchanged", "the snapshot is empty"),
    "the table is gone in the end": ("unchanged", 'relation "brief" does not exist'),
    "delta": ("delta", "1: 3 then, 4 in the end"),
    "unique": ("unique", "1 of them more than once: 4 (2 times)"),
    "unique of no rows": ("unique", "the query found none"),
    "another column": ("unique", "the query has id"),
    "monotonic": ("monotonic", "row 2 has 4 after 5"),
    "reconcile": ("reconcile", '"21"'),
    "orphans": ("orphans", '[{"id": 3}]'),
    "drift": ("drift", "bigint"),
    "nobody leads": ("single_leader", "nobody led in "),
    "order": ("order", "row 2 has 4 after 5"),
    "dump digest": ("dump_digest", "gone: 1\t1\t5; new: 1\t1\t6"),
    "holds": ("holds", "found 4"),
    "nobody to ask": ("holds", "the connection was refused"),
}
"""The rule that finds each control, and what it finds."""
JOURNAL = {"acknowledged": "18 lost: ", "error_classes": "sql:22012 (2 times)", "fairness": "worker 1: 8"}
"""The same of the one control with a workload: three invariants of one journal."""


@pytest.fixture(scope="module")
def ran(engine, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    make_images(engine)
    specs = [f"tests/specs/drive/{name}.cleanroom.yaml" for name in SPECS]
    return cleanroom(*specs, out=tmp_path_factory.mktemp("invariants"))


@pytest.mark.timeout(600)
def test_every_invariant_holds_in_every_iteration_with_one_digest(ran: Ran):
    suite = ran.suite("invariants")
    assert (suite["exit_code"], list(findings(suite))) == (0, []), ran.said
    assert (len(suite["iterations"]), bool(suite["digest"])) == (2, True)


@pytest.mark.timeout(600)
def test_each_control_is_found_and_nothing_else(ran: Ran):
    suite = ran.suite("control-invariants")
    assert suite["exit_code"] == 1, ran.said
    # Told of the iteration and of the whole: the same, once.
    found = {one["name"]: {(f["rule"], f["found"]) for f in findings(one)} for one in suite["scenarios"]}
    assert found.pop("made") == set(), ran.said
    of_journal = dict(found.pop("a journal"))
    assert {rule for rule, words in JOURNAL.items() if words in of_journal[f"invariants.{rule}"]} == set(JOURNAL)
    assert len(of_journal) == len(JOURNAL), ran.said
    assert {name: [rule for rule, _ in told] for name, told in found.items()} == {
        name: [f"invariants.{rule}"] for name, (rule, _) in BROKEN.items()
    }, ran.said
    assert {name for name, (_, words) in BROKEN.items() if words not in min(found[name])[1]} == set(), ran.said

"""The specs under tests/specs/faults: those of one family run in one warm cell, and what their reports say."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from images import make_images
from runs import ROOT, Ran, cleanroom

from cleanroom.engine.client import DockerEngine

SPECS = ROOT / "tests" / "specs" / "faults"
TARGET = "cleanroom-tests/target:1"


def run_family(engine: DockerEngine, family: str, out: Path, *images: str, patience: float = 280) -> Ran:
    """Run every spec of the family once, each in an environment of its own, all in one cell."""
    return run_families(engine, (family,), out, *images, patience=patience)


def run_families(engine: DockerEngine, families: Sequence[str], out: Path, *images: str, patience: float = 280) -> Ran:
    """Run every spec of several families in one cell."""
    make_images(engine, (TARGET, *images))
    specs = [str(path.relative_to(ROOT)) for one in families for path in sorted((SPECS / one).glob("*.cleanroom.yaml"))]
    assert specs, f"no specs in {families}"
    ran = cleanroom(*specs, out=out, patience=patience)
    if folder := os.environ.get("CLEANROOM_FAULT_REPORTS"):
        # For docs/fault-evidence.md, which is made of them.
        shutil.copy(ran.out / "report.json", Path(folder, f"{'-'.join(families)}-{os.getpid()}.json"))
    return ran


def faults_of(ran: Ran, suite: str) -> list[dict[str, Any]]:
    """Return the records of every fault of the suite's first iteration."""
    return [
        fault for scenario in ran.suite(suite)["scenarios"] for fault in scenario["iterations"][0].get("faults", [])
    ]


def assert_proven(ran: Ran, suite: str) -> None:
    """The suite passed, and each of its drawn faults was verified from outside and taken back."""
    found = ran.suite(suite)
    assert found["verdict"] == "pass", ran.said
    for fault in (drawn for drawn in faults_of(ran, suite) if drawn["drawn"]):
        assert (fault["verified"], fault["reverted"]) == (True, True), fault
        assert fault["evidence"], fault


def assert_prevented(ran: Ran, suite: str, fault: str, why: str) -> None:
    """The control did not pass, because this fault was not proven, for a reason in which `why` is found."""
    assert ran.suite(suite)["verdict"] in ("inconclusive", "fail"), ran.said
    (found,) = [one for one in faults_of(ran, suite) if one["id"] == fault]
    assert not found["verified"], found
    assert re.search(why, found["reason"]), found

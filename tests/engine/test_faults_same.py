"""The same seed draws and proves the same faults on any data root; another seed draws others (issue 7, shows 2)."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from fault_specs import SPECS, TARGET
from images import make_images
from runs import ROOT, Ran, cleanroom

SPEC = str((SPECS / "overlapping" / "drawn.cleanroom.yaml").relative_to(ROOT))
pytestmark = pytest.mark.full
FIVE = range(5)
"""Runs 0, 2 and 4 on the image cache's data root, 1 and 3 on one of their own."""


def run(out: Path, seed: str, *more: str) -> Ran:
    ran = cleanroom(SPEC, "--seed", seed, *more, out=out)
    assert ran.code == 0, ran.said
    return ran


@pytest.fixture(scope="module")
def first(engine, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    make_images(engine, (TARGET,))
    return run(tmp_path_factory.mktemp("first"), "42")


def struck(ran: Ran) -> list[tuple[object, ...]]:
    """Which fault struck whom, and what was not drawn, in every iteration."""
    return [
        (fault["id"], fault["occurrence"], tuple(fault["target"]), fault["drawn"], fault["verified"], fault["reverted"])
        for scenario in ran.suite("drawn")["scenarios"]
        for iteration in scenario["iterations"]
        for fault in iteration["faults"]
    ]


@pytest.mark.parametrize("number", FIVE)
def test_the_same_seed_is_the_same_run_on_any_data_root(first: Ran, tmp_path: Path, number: int):
    again = run(tmp_path, "42", *(("--image-cache", "off") if number % 2 else ()))
    assert again.report["engine"]["image_cache"] == ("off" if number % 2 else again.report["engine"]["image_cache"])
    assert again.report["schedule_digest"] == first.report["schedule_digest"]
    assert again.report["digest"] == first.report["digest"]
    assert struck(again) == struck(first)
    assert all(verified and reverted for *_, drawn, verified, reverted in struck(again) if drawn)


def test_another_seed_is_another_schedule(first: Ran, tmp_path: Path):
    other = run(tmp_path, "43")
    assert other.report["schedule_digest"] != first.report["schedule_digest"]
    assert struck(other) != struck(first)

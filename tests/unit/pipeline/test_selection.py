from __future__ import annotations

import pytest

from cleanroom.errors import UsageError
from cleanroom.pipeline.selection import nothing_chosen
from cleanroom.pipeline.suites import load_plans, load_some
from cleanroom.quantity import Duration
from tests.unit.pipeline.specs import options, spec

EVERY = ["full", "smoke", "weekly"]
SECOND = Duration(10**9)


def tiers(root):
    for tier in ("smoke", "full", "weekly"):
        path = spec(root, f"{tier}.cleanroom.yaml", tier)
        meta = f"tier: {tier}, required: {str(tier != 'weekly').lower()}"
        path.write_text(path.read_text().replace("tags: []", meta))


@pytest.mark.parametrize(
    ("tier", "names"),
    [("smoke", ["smoke"]), ("full", ["full", "smoke"]), ("weekly", EVERY), (None, EVERY)],
)
def test_tiers_are_cumulative_and_what_is_left_out_is_named(tier, names, tmp_path):
    tiers(tmp_path)
    loaded = load_plans(options(tmp_path, tier=tier))
    assert [s.name for s in loaded.suites] == names
    assert [s.suite for s in loaded.skipped] == sorted({"full", "smoke", "weekly"} - set(names))
    assert all(s.kind == "tier" and tier in s.why and s.suite in s.why for s in loaded.skipped)
    assert {(s.suite, s.required) for s in loaded.skipped} <= {("full", True), ("weekly", False)}


def test_scenarios_without_a_chosen_tag_are_named(tmp_path):
    spec(tmp_path, "a.cleanroom.yaml")
    (skipped,) = load_plans(options(tmp_path, tags=("fast",))).skipped
    assert (skipped.kind, [s.name for s in skipped.scenarios], skipped.why) == (
        "tags", ["it survives"], "none of the tags fast",
    )  # fmt: skip
    assert skipped.scenarios[0].tags == ("slow",)
    assert load_plans(options(tmp_path)).skipped == ()


def test_the_timeouts_of_a_tier_only_shorten(tmp_path):
    tiers(tmp_path)
    loaded = load_plans(options(tmp_path, tier_timeouts={"smoke": SECOND, "weekly": Duration(3600 * 10**9)}))
    found = {s.name: {c.timeout.seconds for c in s.scenarios} for s in loaded.suites}
    assert found == {"smoke": {1.0}, "full": {60.0}, "weekly": {60.0}}


def test_an_empty_selection_says_what_was_asked_for(tmp_path):
    tiers(tmp_path)
    (tmp_path / "smoke.cleanroom.yaml").unlink()
    with pytest.raises(UsageError, match="no scenario is of tier smoke or below and has one of the tags a, b"):
        load_some(options(tmp_path, tier="smoke", tags=("a", "b")))
    assert nothing_chosen(options(tmp_path)) == "no scenario is in the files that were named"

"""`vary`: one nuisance an iteration, measured in the processes, and the one that broke equality blamed by name."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from runs import EMIT, ROOT, Ran, cleanroom, findings

SPECS = ROOT / "tests" / "specs" / "vary"
SEVERAL = len(os.sched_getaffinity(0)) > 1
SPAN = '"name":"said","attributes":[{' + "'$1'" + "}]"
WHERE = {"start_order": "order", "hostname": "host", "timezone": "zone", "locale": "words", "cpus": "processors"}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """All specs in one run; cpus only where there are several, as elsewhere the run would be refused."""
    folder = tmp_path_factory.mktemp("vary")
    emit = EMIT.replace("'$1'", SPAN).strip()
    for spec in SPECS.glob("*.yaml"):
        text = spec.read_text(encoding="utf-8") if SEVERAL else spec.read_text(encoding="utf-8").replace(", cpus]", "]")
        indented = "|\n" + "\n".join(f"    {line}" for line in emit.splitlines())
        (folder / spec.name).write_text(text.replace("__EMIT__", indented), encoding="utf-8")
    yield cleanroom("*.cleanroom.yaml", out=folder / "out", cwd=folder)
    shutil.rmtree(folder, ignore_errors=True)


def surroundings(ran: Ran, suite: str, scenario: int, service: str) -> list[dict[str, str]]:
    """What a service's process was found to have, iteration by iteration."""
    turns = ran.suite(suite)["scenarios"][scenario]["iterations"]
    return [next(s for s in turn["services"] if s["name"] == service)["surroundings"] for turn in turns]


def test_what_depends_on_no_nuisance_is_the_same_in_all_iterations(ran: Ran):
    suite = ran.suite("same")
    assert suite["verdict"] == "pass", ran.said
    assert {one["result"] for one in suite["vary"]} == {"the same"}
    told = [(one["iteration"], one["nuisance"]) for one in suite["vary"]]
    assert told == [(2, "start_order"), (3, "hostname"), (4, "timezone"), (5, "locale")]


def test_each_nuisance_was_found_in_the_processes_and_in_its_own_iteration_only(ran: Ran):
    found = surroundings(ran, "same", 1, "a")
    for place, name in ((2, "hostname"), (3, "timezone"), (4, "locale")):
        values = [one[name] for one in found]
        assert values[place] != values[0]
        assert {value for number, value in enumerate(values) if number != place} == {values[0]}
    began = [(a["started_at"], b["started_at"]) for a, b in zip(found, surroundings(ran, "same", 1, "b"), strict=True)]
    assert [a < b for a, b in began] == [True, False, True, True, True]
    # The first scenario does not vary its locale.
    assert len({one["locale"] for one in surroundings(ran, "same", 0, "a")}) == 1


def test_each_nuisance_that_breaks_equality_is_blamed_by_name_path_and_attribute(ran: Ran):
    suite = ran.suite("control-blamed")
    assert suite["exit_code"] == 1, ran.said
    blamed = {one["nuisance"]: one for one in suite["vary"]}
    assert blamed.keys() == {name for name in WHERE if SEVERAL or name != "cpus"}
    (finding,) = findings({"one": suite["determinism"]})
    for name, one in blamed.items():
        assert one["result"] == "broke equality", one
        assert one["path"].endswith(f"step:{WHERE[name]}" if name == "cpus" else f"step {WHERE[name]}")
        assert one["attribute"] == ("attributes.exit_code" if name == "cpus" else "stdout")
        assert one["control"] != one["value"]
        assert f"{name} broke equality: iteration {one['iteration']} (" in finding["found"]
    assert blamed["timezone"]["control"] == "+0000\n"
    assert (blamed["start_order"]["control"][:7], blamed["start_order"]["value"][:8]) == ("refused", "No route")


def test_the_reports_for_people_name_the_one_to_blame(ran: Ran):
    console, summary = ran.stdout.decode(), (ran.out / "summary.md").read_text(encoding="utf-8")
    junit = (ran.out / "junit.xml").read_text(encoding="utf-8")
    assert "timezone broke equality: iteration 4" in console
    assert "timezone broke equality: iteration 4" in junit
    assert "What was varied" in summary
    assert "cleanroom.vary.iteration-4" in junit


def test_what_differs_in_every_iteration_is_not_laid_at_the_door_of_a_nuisance(ran: Ran):
    suite = ran.suite("control-random")
    assert suite["exit_code"] == 1, ran.said
    assert [one["result"] for one in suite["vary"]] == ["differs, perhaps not by that"] * 2
    assert "iteration 3 differs there as well, without it" in suite["vary"][0]["doubt"]


def test_a_scenario_varies_on_its_own(ran: Ran):
    suite = ran.suite("control-scoped")
    (one,) = suite["vary"]
    assert (one["iteration"], one["nuisance"], one["result"]) == (2, "timezone", "broke equality"), ran.said
    assert one["path"] == "scenario varies > step zone"
    assert {found["timezone"] for found in surroundings(ran, "control-scoped", 1, "a")} == {"UTC"}

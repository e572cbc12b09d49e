from __future__ import annotations

import json
from dataclasses import replace

from cleanroom.plan.build import build_plan
from cleanroom.plan.document import plan_json
from cleanroom.plan.text import plan_text
from cleanroom.plan.words import moment_text
from cleanroom.quantity import Duration, Rate, Size
from cleanroom.spec.fault import AtManual, AtStep, Repeat
from tests.unit.plan.suites import fault, scenario, suite

SUITE = suite(
    scenario(
        "an order is stored",
        fault(
            "slow-db",
            ports=(5432,),
            duration=Duration(10**10),
            probability=0.5,
            repeat=Repeat(every=Duration(10**9), times=4),
        ),
        fault(
            "kill", kind="container.kill", parameters={"signal": "KILL"}, moment=AtStep(moment="before", step="place")
        ),
    ),
    scenario("quiet"),
)


def test_the_text_shows_every_occurrence_and_both_digests():
    plan = build_plan(SUITE)
    text = plan_text(plan)
    lines = text.splitlines()
    assert plan.schedule_digest in text
    assert plan.plan_digest in text
    rows = [line.split("  ") for line in lines if "slow-db#" in line]
    assert len(rows) == 4
    undrawn = {event.occurrence for event in plan.timeline("an order is stored")[:4] if not event.drawn}
    assert undrawn
    assert {
        index for index in range(4) if "not drawn" in lines[[f"slow-db#{index}" in x for x in lines].index(True)]
    } == undrawn
    (kill,) = [line for line in lines if "kill#0" in line]
    assert "before step place" in kill
    assert "signal=KILL" in kill
    assert "port 5432" in text
    assert "delay=500ms" in text
    assert "until the end" in kill
    assert "10s" in text
    assert "faults  none" in text


def test_json_and_text_are_the_same_bytes_each_time():
    one, two = build_plan(SUITE), build_plan(SUITE)
    assert plan_text(one) == plan_text(two)
    assert json.dumps(plan_json(one)) == json.dumps(plan_json(two))


def test_the_json_is_complete():
    document = plan_json(build_plan(SUITE, seed=7))
    assert document["seed"] == "7"
    assert document["start_order"] == [["api", "db", "web"]]
    events = document["scenarios"][0]["events"]
    assert [event["occurrence"] for event in events] == [0, 1, 2, 3, 0]
    assert all(len(event["stream"]) == 64 for event in events)
    assert {event["drawn"] for event in events} == {True, False}


def test_hostile_names_cannot_reach_a_terminal():
    hostile = replace(SUITE, name="x\x1b[31m\n::error::y", scenarios=(scenario("a\rb\n::warning::c"),))
    text = plan_text(build_plan(hostile))
    assert "\x1b" not in text
    assert not any(line.startswith("::") for line in text.splitlines())


def test_moments_and_values_are_spelt_as_in_the_spec():
    assert moment_text(AtManual()) == "by hand"
    assert moment_text(AtStep(moment="during", step="x", offset=Duration(2 * 10**8))) == "during step x +200ms"
    values = {"rate": Rate(1000), "size": Size(5), "flag": True}
    text = plan_text(build_plan(suite(scenario("s", fault("f", parameters=values)))))
    assert "flag=true, rate=1000bit/s, size=5B" in text

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from cleanroom.plan.build import build_plan
from cleanroom.plan.document import plan_json
from cleanroom.plan.mermaid import plan_mermaid
from cleanroom.plan.text import plan_text
from cleanroom.plan.words import moment_text
from cleanroom.quantity import Duration, Rate, Size
from cleanroom.spec.comparator import Comparator
from cleanroom.spec.determinism import Determinism
from cleanroom.spec.expect import CountExpectation, Expect, Pattern, SpanExpectation
from cleanroom.spec.fault import AtManual, AtStep, Repeat
from cleanroom.spec.service import Build, Limits, Service
from cleanroom.spec.source import Position, Problem
from cleanroom.spec.suite import Report
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


def test_the_json_tells_what_everything_is_for():
    expect = Expect(spans=(SpanExpectation(name=Pattern("x"), id="stored", description="an order is kept"),))
    one = replace(scenario("s"), description="it is placed", expect=expect)
    document = plan_json(build_plan(suite(one, description="orders survive", expect=expect)))
    assert document["description"] == "orders survive"
    assert document["scenarios"][0]["description"] == "it is placed"
    for block in (document, document["scenarios"][0]):
        assert [(row["id"], row["description"]) for row in block["expectations"]] == [("stored", "an order is kept")]


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


WHOLE = replace(
    SUITE,
    services=(
        Service(
            name="db",
            build=Build(context="db", target="run", args={"V": "1"}),
            environment={"PASSWORD": "secret", "MODE": "a b"},
            limits=Limits(memory=Size(2**27)),
            depends_on=("api",),
        ),
        Service(name="api", image="api:1"),
    ),
    report=Report(redact=("*password*",)),
    instance={"postgres": "17"},
    determinism=Determinism(iterations=3, vary=("hostname",)),
    expect=Expect(counts=(CountExpectation(what="errors", comparator=Comparator(tests=(("eq", 0),)), id="none"),)),
    unavailable=(Problem(code="not-available", at=Position("x.yaml", 3, 4), message="no replicas yet"),),
)


def test_the_text_says_what_each_service_is_what_is_expected_and_what_run_refuses():
    text = plan_text(build_plan(WHOLE))
    assert (
        "  db  build {context: db, args: {V: 1}, target: run}\n    after  api\n    PASSWORD=***\n    MODE=a b\n" in text
    )
    assert "    limits  {memory: 128MiB}\n" in text
    assert "  api  image api:1\n" in text
    assert "    1  place: sleep {duration: 1e-06ms}\n" in text
    assert "  expect.counts[0] (none)  {what: errors, comparator: 0}\n" in text
    assert "runs      3 iterations of 2 scenarios, each with the same schedule\nvaries    1 hostname" in text
    assert "instance  {postgres: 17}\n" in text
    assert text.endswith("run cannot carry out yet\n  x.yaml:3:4  no replicas yet\n")
    assert "secret" not in text


def test_the_json_says_the_same():
    document = plan_json(build_plan(WHOLE))
    assert [each["varies"] for each in document["iterations"]] == ["", "hostname", ""]
    assert {each["schedule_digest"] for each in document["iterations"]} == {document["schedule_digest"]}
    assert [service["name"] for service in document["services"]] == ["api", "db"]
    assert document["services"][1]["environment"] == {"PASSWORD": "***", "MODE": "a b"}
    assert document["services"][1]["build"]["context"] == "db"
    assert document["expectations"] == [
        {
            "rule": "expect.counts[0]",
            "what": "{what: errors, comparator: 0}",
            "id": "none",
            "description": "",
            "level": "error",
        }
    ]
    assert document["unavailable"] == [{"at": "x.yaml:3:4", "code": "not-available", "message": "no replicas yet"}]
    assert [step["name"] for step in document["scenarios"][0]["steps"]] == ["place"]
    assert [(e["begins"], e["trigger"]) for e in document["scenarios"][0]["events"]][3:] == [
        ("+5s", False),
        ("before step place", True),
    ]
    assert document["instance"] == {"postgres": "17"}
    json.dumps(document, allow_nan=False)


@given(
    st.lists(st.text(min_size=1, max_size=8), max_size=4, unique=True),
    st.integers(0, 2**63 - 1),
    st.floats(0, 1),
    st.integers(1, 20),
)
def test_the_same_input_gives_the_same_bytes(names, seed, probability, times):
    def made():
        repeat = Repeat(every=Duration(10**9), times=times)
        chaos = [fault(name, probability=probability, repeat=repeat) for name in names]
        plan = build_plan(suite(scenario("s", *chaos)), seed=seed)
        return plan_text(plan), json.dumps(plan_json(plan)), plan_mermaid(plan)

    assert made() == made()

from __future__ import annotations

from cleanroom.drive.reach import Container
from cleanroom.engine.ports import ContainerSpec
from cleanroom.run.output import LOG_BYTES, read_output
from cleanroom.run.replacement import Replacements, Services
from tests.fakes import FakeEngine


def engine_with(*logs: bytes) -> FakeEngine:
    engine = FakeEngine(networks={"n"})
    for number, log in enumerate(logs):
        engine.create(ContainerSpec(name=f"c{number}", image="i", network="n"))
        engine.containers[f"c{number}"].log = log
    return engine


def test_what_a_replaced_container_had_said_is_part_of_the_service_s_output():
    engine = engine_with(b"panic", b"well\n")
    earlier = Replacements(engine)
    earlier.leaves("api", "c0")
    found = earlier.output("api", read_output(engine, "c1"))
    assert found == {"log": "panic\nwell\n", "log_truncated": False, "log_unread": False}
    assert earlier.output("db", read_output(engine, "c1"))["log"] == "well\n"
    assert (earlier.names, earlier.containers) == ({"c0-old"}, {engine.containers["c0"].id})
    assert (earlier.restarts("api"), earlier.restarts("db")) == (0, 0)


def test_an_output_that_is_cut_or_was_not_read_says_so():
    engine = engine_with(b"a" * LOG_BYTES, b"b")
    earlier = Replacements(engine)
    earlier.leaves("api", "c0")
    cut = earlier.output("api", read_output(engine, "c1"))
    assert cut["log_truncated"]
    assert cut["log"].rstrip().endswith("b")
    assert earlier.output("api", read_output(engine, "gone"))["log_unread"]


def test_services_are_looked_up_when_they_are_asked_for():
    now = {"api": Container(service="api", id="1", address="")}
    live = Services(lambda: now)
    now["api"] = Container(service="api", id="2", address="")
    assert (live["api"].id, list(live), len(live)) == ("2", ["api"], 1)

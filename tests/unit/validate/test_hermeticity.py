from __future__ import annotations

from cleanroom.engine.ports import Inventory
from cleanroom.network.ports import Drop
from cleanroom.run.record import CleanupRecord
from cleanroom.spec.expect import HermeticityExpectation
from cleanroom.validate.hermeticity import judge_hermeticity
from tests.unit.validate.builders import AT, eq, findings, record, rules, scene, span


def judged(the_scene, **kw):
    return judge_hermeticity(the_scene, HermeticityExpectation(at=AT, **kw))


def out(**kw):
    return Drop(**{
        "source": "10.213.0.10", "destination": "198.51.100.7", "protocol": "tcp", "port": 443, "count": 3, **kw
    })  # fmt: skip


ONE = span(1, attrs={"http.url": "x"}, resource={"env": "test"})


def test_nothing_stated_is_nothing_judged():
    assert judge_hermeticity(scene(), None) == ()


def test_no_attempt_to_get_out_holds():
    assert rules(judged(scene(scenarios=(record(),)), egress_none=True)) == []


def test_an_attempt_to_get_out_names_the_service_the_place_and_how_often():
    drops = (
        out(),
        out(count=2),
        out(destination="203.0.113.9", protocol="udp", port=53, via="resolver", name="a.example"),
    )

    (found,) = findings(judged(scene(scenarios=(record(egress=drops),)), egress_none=True))

    assert found.rule == "hermeticity.egress"
    assert found.found == (
        "service api tried to reach 198.51.100.7 tcp port 443 (5 times); the name a.example (3 times)"
    )


def test_an_attempt_from_an_unknown_address_is_a_finding_all_the_same():
    (found,) = findings(judged(scene(scenarios=(record(egress=(out(source="10.213.0.99"),)),)), egress_none=True))

    assert found.found.startswith("address 10.213.0.99 tried to reach ")


def test_a_shared_environments_attempts_count_once_and_an_unnamed_one_counts():
    both = (record(egress=(out(),), shared=True), record("refund", egress=(out(),), shared=True))
    apart = (both[0], record("refund", egress=(out(),)))
    (found,) = findings(judged(scene(scenarios=apart), egress_none=True))
    assert found.found.endswith("(6 times)")
    unnamed = record(egress=(out(source="", destination="", protocol="unknown", port=0),))

    (found,) = findings(judged(scene(scenarios=(*both, record()), shared=True), egress_none=True))
    assert found.found == "service api tried to reach 198.51.100.7 tcp port 443 (3 times)"
    (found,) = findings(judged(scene(scenarios=(unnamed,)), egress_none=True))
    assert found.found.startswith("somebody whom the network's record does not name tried to reach (unknown) unknown")


def test_without_a_service_there_is_no_evidence_of_egress():
    assert rules(judged(scene(scenarios=(record(services=()),)), egress_none=True)) == ["hermeticity.egress"]
    assert rules(judged(scene(), egress_none=True)) == ["hermeticity.egress"]


def test_leaks_are_judged_by_inventories():
    dirty = CleanupRecord(
        created=Inventory(containers=("c",)), left=Inventory(volumes=("data",)), processes_left=("42 sleep",)
    )

    assert rules(judged(scene(scenarios=(record(),)), leaks_none=True)) == []
    (found,) = findings(judged(scene(scenarios=(record(), record(cleanup=dirty))), leaks_none=True))
    assert found.found == "left behind: volume data; process 42 sleep"


def test_a_teardown_without_inventory_is_no_evidence_of_cleanness():
    unknown = record(cleanup=CleanupRecord())

    assert rules(judged(scene(scenarios=(unknown,)), leaks_none=True)) == ["hermeticity.leaks"]
    assert rules(judged(scene(), leaks_none=True)) == ["hermeticity.leaks"]
    assert rules(judged(scene(scenarios=(record(), unknown)), leaks_none=True)) == ["hermeticity.leaks"]
    assert rules(judged(scene(scenarios=(unknown, record()), shared=True), leaks_none=True)) == []


def test_every_resource_is_judged():
    assert rules(judged(scene(ONE), resource={"env": eq("test")})) == []
    (found,) = findings(judged(scene(ONE, span(2), span(3)), resource={"env": eq("test")}))
    assert found.rule == "hermeticity.resource"
    assert found.found.startswith("1 of 2 resources break it: service api: env: ")


def test_forbidden_attributes_are_found_by_glob():
    assert rules(judged(scene(ONE), forbid_attributes=("password",))) == []
    assert rules(judged(scene(ONE), forbid_attributes=("http.*", "password"))) == ["hermeticity.forbid_attributes"]


def test_a_service_that_is_not_declared_breaks_closed_services():
    assert rules(judged(scene(ONE), services_closed=True)) == []
    assert rules(judged(scene(ONE, span(2, service="web")), services_closed=True)) == ["hermeticity.services"]
    assert rules(judged(scene(ONE, span(2, service="")), services_closed=True)) == ["hermeticity.services"]


def test_without_spans_nothing_can_be_said_of_them():
    for stated in ({"resource": {"env": eq("test")}}, {"forbid_attributes": ("x",)}, {"services_closed": True}):
        (found,) = findings(judged(scene(), **stated))
        assert found.telemetry_missing

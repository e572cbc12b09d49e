from __future__ import annotations

from types import MappingProxyType

import pytest

from cleanroom.errors import SpecError
from cleanroom.plan.build import build_plan
from cleanroom.plan.replicas import expand
from cleanroom.plan.timeline import draw
from cleanroom.spec.service import Service
from cleanroom.spec.target import Target
from cleanroom.spec.templates.runtime_text import Expression, RuntimeText
from tests.unit.plan.suites import fault, scenario, suite


def template(source, *names, before=""):
    parts = (before, Expression(source, frozenset(names), MappingProxyType({"vars": {"base": 10}})))
    return RuntimeText(f"{before}{{{{ {source} }}}}", parts)


def database(**fields):
    return Service(name="db", image="db", replicas=3, **fields)


def test_each_replica_knows_its_number_and_all_names():
    environment = {
        "ID": template("replica + vars.base", "replica"),
        "ALL": template("peers | join(',')", "peers", before="p="),
    }
    services = expand((database(environment=environment, command=("run", template("peers", "peers"))),))
    assert [service.name for service in services] == ["db-1", "db-2", "db-3"]
    assert [dict(s.environment) for s in services] == [{"ID": f"{n}", "ALL": "p=db-1,db-2,db-3"} for n in (11, 12, 13)]
    assert services[0].command == ("run", '["db-1","db-2","db-3"]')
    assert all(service.replicas == 1 for service in services)
    assert not any(isinstance(value, RuntimeText) for service in services for value in service.environment.values())


def test_what_depends_on_a_service_depends_on_all_its_replicas():
    api = Service(name="api", image="api", depends_on=("db",))
    assert expand((database(), api))[-1].depends_on == ("db-1", "db-2", "db-3")
    plan = build_plan(suite(scenario("s"), services=()).__class__(name="x", file="x", services=(database(), api)))
    assert plan.start_order == (("db-1", "db-2", "db-3"), ("api",))
    assert dict(plan.addresses) == {"api": 10, "db-1": 11, "db-2": 12, "db-3": 13}


def test_services_without_replicas_stay_as_they_are():
    services = (Service(name="a", image="a"), Service(name="b", image="b", depends_on=("a",)))
    assert all(new is old for new, old in zip(expand(services), services, strict=True))


def test_two_containers_of_one_name_are_refused():
    with pytest.raises(SpecError, match="two containers are called 'db-2'"):
        expand((database(), Service(name="db-2", image="x")))


def test_a_template_that_fails_is_named():
    with pytest.raises(SpecError, match=r"service 'db'.*cannot be evaluated"):
        expand((database(environment={"X": template("replica / 0", "replica")}),))


def test_digests_tell_what_replicas_became():
    first, second = (
        build_plan(
            suite().__class__(name="x", file="x", services=(database(environment={"X": template(s, "replica")}),))
        )
        for s in ("replica + 1", "replica + 2")
    )
    assert first.plan_digest != second.plan_digest


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (Target(service="db"), ("db-1", "db-2", "db-3")),
        (Target(replica=2, of="db"), ("db-2",)),
        (Target(label=("tier", "storage")), ("db-1", "db-2", "db-3")),
        (Target(all=True), ("api", "db-1", "db-2", "db-3")),
        (Target(any_of=("db",), count=1), ("db-1", "db-2", "db-3")),
    ],
)
def test_targets_are_containers(target, expected):
    services = (database(labels={"tier": "storage"}), Service(name="api", image="api"))
    made = suite(scenario("s", fault("f", target)))
    (planned,) = draw(made.__class__(name="x", file="x", services=services, scenarios=made.scenarios), 1)
    assert planned.events[0].targets == expected


@pytest.mark.parametrize("target", [Target(replica=4, of="db"), Target(label=("no", "one"))])
def test_a_target_that_is_not_there_is_refused(target):
    with pytest.raises(SpecError, match="fault 'f'"):
        draw(suite(scenario("s", fault("f", target))), 1)

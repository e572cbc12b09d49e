from __future__ import annotations

import pytest

from cleanroom.quantity import Duration, Size
from cleanroom.spec.capability import ALLOWED
from cleanroom.spec.clock_setting import FrozenClock, RealClock
from cleanroom.spec.mock import OpenapiMock
from cleanroom.spec.probe import ExitProbe, HealthcheckProbe, TcpProbe
from cleanroom.spec.service import Build, Limits, Restart, Service, Telemetry
from cleanroom.spec.shapes.service import services
from cleanroom.spec.volume import NamedVolume
from tests.unit.spec.shapes.reading import accepted, deferred, read

SECOND = 10**9


def service(rest, name="db"):
    return accepted(services, f"{{{name}: {{image: i, {rest}}}}}", path="services")[name]


def test_a_service_needs_no_more_than_an_image():
    assert service("") == Service(name="db", image="i")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("command: [a, 1]", {"command": ("a", "1")}),
        ("command: a b", {"command": ("sh", "-c", "a b")}),
        ("entrypoint: [e]", {"entrypoint": ("e",)}),
        ("environment: {A: 1, B: x}", {"environment": {"A": "1", "B": "x"}}),
        ("user: postgres", {"user": "postgres"}),
        ("working_dir: /srv", {"working_dir": "/srv"}),
        ("hostname: Primary-1", {"hostname": "Primary-1"}),
        ("stop_signal: SIGINT", {"stop_signal": "SIGINT"}),
        ("stop_signal: SIGRTMIN+3", {"stop_signal": "SIGRTMIN+3"}),
        ("stop_signal: '64'", {"stop_signal": "64"}),
        ("stop_grace: 0", {"stop_grace": Duration(0)}),
        ("init: false", {"init": False}),
        ("depends_on: [a, b]", {"depends_on": ("a", "b")}),
        ("ready_timeout: 1m", {"ready_timeout": Duration(60 * SECOND)}),
        ("tmpfs: {/t: 1MiB}", {"tmpfs": {"/t": Size(2**20)}}),
        ("volumes: [{name: d, target: /d}]", {"volumes": (NamedVolume(name="d", target="/d"),)}),
        ("files: {/f: text}", {"files": {"/f": "text"}}),
        (
            "limits: {cpus: 0.5, memory: 128MiB, swap: 0, pids: 100, nofile: 1024}",
            {"limits": Limits(cpus=0.5, memory=Size(2**27), swap=Size(0), pids=100, nofile=1024)},
        ),
        ("capabilities: [KILL, NET_RAW]", {"capabilities": ("KILL", "NET_RAW")}),
        ("capabilities: []", {"capabilities": ()}),
        ("restart: {policy: on-failure, max: 3}", {"restart": Restart(policy="on-failure", max=3)}),
        ("replicas: 3", {"replicas": 3}),
        ("labels: {tier: 1}", {"labels": {"tier": "1"}}),
        (
            "telemetry: {inject: true, protocol: grpc, service_name: d}",
            {"telemetry": Telemetry(protocol="grpc", service_name="d")},
        ),
        ("telemetry: {inject: false, service_name: d}", {"telemetry": Telemetry(inject=False, service_name="d")}),
        ("clock: real", {"clock": RealClock()}),
        ("clock: frozen", {"clock": FrozenClock()}),
        ("timezone: Europe/Berlin", {"timezone": "Europe/Berlin"}),
    ],
)
def test_each_key_has_its_place_in_the_model(source, expected):
    assert service(source) == Service(name="db", image="i", **expected)


def test_a_service_is_built_or_played_instead():
    both = "{a: {build: {context: ., dockerfile: D, args: {V: 1}, target: t}}, b: {mock: {openapi: o}}}"
    read = accepted(services, both)
    assert read["a"].build == Build(context=".", dockerfile="D", args={"V": "1"}, target="t")
    assert read["b"].mock == OpenapiMock(openapi="o")


def test_readiness_is_asked_in_the_order_of_the_file():
    ready = service("ready: [{tcp: 5432}, {healthcheck: true}, {exit: 0}]").ready
    assert [type(probe.question) for probe in ready] == [TcpProbe, HealthcheckProbe, ExitProbe]


@pytest.mark.parametrize(
    ("source", "word"),
    [
        ("volumes: []", "volumes"),
        ("capabilities: []", "capabilities"),
        ("replicas: 2", "replicas"),
    ],
)
def test_run_refuses_what_it_cannot_carry_out(source, word):
    found = deferred(services, f"{{db: {{image: i, {source}}}}}", path="services")
    assert [message for _, message in found] == [f'"{word}" in services.db']


def test_run_carries_out_the_rest():
    source = (
        "{db: {build: {context: .}, command: [a], entrypoint: [a], environment: {A: b}, user: u, working_dir: /w, "
        "hostname: h, stop_signal: TERM, stop_grace: 1s, init: true, depends_on: [], ready: [{tcp: 1}, {log: x}], "
        "ready_timeout: 1s, tmpfs: {/t: 1k}, files: {/f: x}, limits: {cpus: 1}, restart: {policy: always}, "
        "labels: {a: b}, telemetry: {inject: true}, clock: frozen, timezone: UTC}}"
    )
    assert deferred(services, source) == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("{}", ("empty-list", 2, 2)),
        ("[db]", ("wrong-type", 2, 2)),
        ("{db: }", ("missing-key", 2, 3)),
        ("{db: x}", ("wrong-type", 2, 7)),
        ("{Db: {image: i}}", ("wrong-value", 2, 3)),
        ("{localhost: {image: i}}", ("wrong-value", 2, 3)),
        ("{db: {user: u}}", ("one-of", 2, 7)),
        ("{db: {image: i, build: {context: .}}}", ("one-of", 2, 18)),
        ("{db: {build: {}}}", ("missing-key", 2, 15)),
        ("{db: {build: .}}", ("wrong-type", 2, 15)),
    ],
)
def test_what_is_no_service_is_refused_where_it_stands(source, found):
    assert found in read(services, source).found


@pytest.mark.parametrize(
    ("source", "code", "value"),
    [
        ("command: []", "empty-list", "[]"),
        ("entrypoint: {a: b}", "wrong-type", "{a"),
        ("environment: {A: [b]}", "wrong-type", "[b]"),
        ("environment: {A=B: c}", "wrong-value", "A=B"),
        ("user: 5", "wrong-type", "5"),
        ("working_dir: srv", "wrong-value", "srv"),
        ("hostname: a_b", "wrong-value", "a_b"),
        ("stop_signal: please", "wrong-value", "please"),
        ("stop_signal: TERMINATE", "wrong-value", "TERMINATE"),
        ("stop_signal: '65'", "wrong-value", "'65'"),
        ("stop_grace: soon", "wrong-value", "soon"),
        ("init: 1", "wrong-type", "1"),
        ("depends_on: a", "wrong-type", "a}"),
        ("depends_on: [a, a]", "duplicate-dependency", "a]"),
        ("ready: []", "empty-list", "[]"),
        ("ready: [{tcp: 0}]", "wrong-value", "0"),
        ("ready_timeout: 0", "wrong-value", "0"),
        ("tmpfs: {t: 1k}", "wrong-value", "t: 1k"),
        ("volumes: {a: b}", "wrong-type", "{a"),
        ("files: {/: x}", "wrong-value", "/:"),
        ("limits: {cpus: 0}", "wrong-value", "0"),
        ("limits: {memory: 0}", "wrong-value", "0"),
        ("limits: {pids: 0}", "wrong-value", "0"),
        ("limits: {nofile: x}", "wrong-type", "x"),
        ("limits: {memory: 1g, swap: -1}", "wrong-value", "-1"),
        ("limits: {swap: 1g}", "missing-key", "swap: 1g"),
        ("telemetry: {inject: false, protocol: grpc}", "contradiction", "protocol"),
        ("labels: {cleanroom.run: x}", "wrong-value", "cleanroom.run"),
        ("capabilities: [SYS_ADMIN]", "wrong-value", "SYS_ADMIN"),
        ("capabilities: [KILL, KILL]", "duplicate-capability", "KILL]"),
        ("restart: {max: 3}", "missing-key", "{max"),
        ("restart: {policy: always, max: 3}", "contradiction", "max"),
        ("restart: {policy: never}", "wrong-value", "never"),
        ("replicas: 0", "wrong-value", "0"),
        ("replicas: 101", "wrong-value", "101"),
        ("labels: {a: {b: c}}", "wrong-type", "{b"),
        ("telemetry: {protocol: udp}", "wrong-value", "udp"),
        ("clock: fake", "wrong-value", "fake"),
        ("timezone: /etc", "wrong-value", "/etc"),
        ("ports: [80]", "unknown-key", "ports"),
        ("hosts: [a]", "unknown-key", "hosts"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_where_it_stands(source, code, value):
    whole = f"{{db: {{image: i, {source}}}}}"
    assert read(services, whole).found == [(code, 2, whole.rindex(value) + 2)]


@pytest.mark.parametrize("probe", ["tcp: 80", "http: {port: 80}", "exec: [a]", "healthcheck: true", "exit: 1"])
def test_nothing_answers_after_a_service_has_ended(probe):
    source = f"{{db: {{image: i, ready: [{{exit: 0}}, {{{probe}}}]}}}}"
    assert read(services, source).found == [("contradiction", 2, source.index(f"{{{probe}") + 2)]


@pytest.mark.parametrize("ready", ["[{tcp: 80}, {exit: 0}]", "[{exit: 0}, {log: done}]", "[{exit: 0}, {exit: 0}]"])
def test_a_one_shot_service_may_be_asked_before_it_ends_and_for_what_it_wrote(ready):
    assert accepted(services, f"{{db: {{image: i, ready: {ready}}}}}")["db"].ready


def test_a_mock_has_no_processes():
    source = "{m: {mock: {openapi: o}, command: [a], replicas: 2, ready: [{exec: [a]}], labels: {a: b}}}"
    found = [code for code, *_ in read(services, source).found]
    assert found == ["contradiction"] * 3


def test_templates_know_the_replica_only_where_there_are_replicas():
    source = '{db: {image: i, replicas: 3, environment: {ID: "{{ replica }}", PEERS: "{{ peers }}"}}}'
    environment = accepted(services, source)["db"].environment
    assert environment == {"ID": "{{ replica }}", "PEERS": "{{ peers }}"}
    alone = read(services, source.replace("replicas: 3, ", ""))
    assert alone.codes == ["out-of-place-name", "out-of-place-name"]


@pytest.mark.parametrize("source", ['image: "{{ replica }}"', 'image: i, depends_on: ["{{ replica }}"]'])
def test_an_image_and_a_dependency_are_known_before_the_run(source):
    assert "known-too-late" in read(services, f"{{db: {{replicas: 2, {source}}}}}").codes


def test_replicas_are_called_after_their_service():
    assert Service(name="db", image="i", replicas=3).containers == ("db-1", "db-2", "db-3")
    assert Service(name="db", image="i").containers == ("db",)


def test_all_capabilities_that_are_allowed_can_stand_together():
    assert service(f"capabilities: [{', '.join(ALLOWED)}]").capabilities == ALLOWED

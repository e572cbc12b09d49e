"""Faults by rules, and those of a container's place on the network, from begin to end on real containers."""

from __future__ import annotations

import contextlib
import secrets
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from dnslib import DNSRecord

sys.path.insert(0, str(Path(__file__).parent))
from fault_specs import TARGET
from images import make_images
from residue import unchanged
from stage import Stage, open_stage, strike

from cleanroom.drive.reach import Container
from cleanroom.engine.ports import ContainerSpec
from cleanroom.errors import CapabilityError
from cleanroom.faults.base import ActiveFault, Evidence
from cleanroom.faults.ladder import open_fault
from cleanroom.network.command import run as run_command
from cleanroom.network.contact import listeners
from cleanroom.network.name_fault import NameRule, NameStrike
from cleanroom.network.namespace import in_namespace, namespace_of_pid
from cleanroom.network.resolver import Resolver
from cleanroom.quantity import Duration

# What make test has no time for is in make test-full.
pytestmark = pytest.mark.full

SERVICES = ("a", "b", "c")


@pytest.fixture(scope="module")
def run(engine, token) -> Iterator[object]:
    """As the fixture of one test, for all tests of this file."""
    made: list[str] = []

    def start(*command: str, **options: object) -> str:
        name = f"clr-test-{token}-{secrets.token_hex(4)}"
        container = engine.create(ContainerSpec(name=name, command=command or None, **options))  # type: ignore[arg-type]
        made.append(container)
        engine.start(container)
        return container

    yield start
    for container in made:
        engine.remove(container)


@pytest.fixture(scope="module")
def stage(engine, run) -> Iterator[Stage]:
    make_images(engine, (TARGET,))
    with open_stage(engine, run) as made:
        yield made


@pytest.fixture(scope="module")
def services(stage) -> dict[str, Container]:
    found = {
        name: stage.service(name, 10 + n, command=(), ports=(8080,), image=TARGET, init=True)
        for n, name in enumerate(SERVICES)
    }
    for one in found.values():
        for _ in range(200):
            if 9000 in listeners(stage.state(one).pid, "tcp") and 9001 in listeners(stage.state(one).pid, "udp"):
                break
            threading.Event().wait(0.05)
    return found


def opened(stage: Stage, services: dict[str, Container], kind: str, *targets: str, **options: object) -> ActiveFault:
    return open_fault(strike(kind, *targets, **options), stage.context(*services.values()))  # type: ignore[arg-type]


def lived(fault: ActiveFault, meanwhile: Callable[[], object] = lambda: None) -> tuple[Evidence, Evidence]:
    """Bring the fault through its life; the effect and the reversal must be proven."""
    try:
        fault.inject()
        effect = fault.verify()
        meanwhile()
    finally:
        fault.revert()
    reversal = fault.verify_reversal()
    assert effect.holds, effect
    assert reversal.holds, reversal
    assert not reversal.lapsed, reversal
    return effect, reversal


CASES = {
    "refuse": ("network.refuse", ("a",), {}),
    "refuse-port": ("network.refuse", ("a",), {"ports": (9000,), "protocol": "tcp"}),
    "refuse-udp": ("network.refuse", ("a",), {"ports": (9001,), "protocol": "udp"}),
    "refuse-egress": ("network.refuse", ("a",), {"direction": "egress", "ports": (8080,)}),
    "refuse-pair": ("network.refuse", (), {"between": ("a", "b")}),
    "blackhole": ("network.blackhole", ("a",), {}),
    "blackhole-egress": ("network.blackhole", ("a",), {"direction": "egress"}),
    "blackhole-both": ("network.blackhole", ("a",), {"direction": "both", "ports": (8080,)}),
    "blackhole-udp": ("network.blackhole", ("a",), {"ports": (9001,), "protocol": "udp"}),
    "blackhole-pair": ("network.blackhole", (), {"between": ("a", "b")}),
    "partition": ("network.partition", ("a",), {}),
    "partition-one-way": ("network.partition", ("a",), {"parameters": {"one_way": True}}),
    "partition-ingress": ("network.partition", ("a",), {"direction": "ingress"}),
    "partition-pair": ("network.partition", (), {"between": ("a", "b")}),
    "partition-groups": ("network.partition", ("a", "b", "c"), {"parameters": {"groups": (("a",), ("b", "c"))}}),
    "connection-limit": ("network.connection_limit", ("a",), {"ports": (9000,), "parameters": {"max": 4}}),
    "connection-limit-none": ("network.connection_limit", ("a",), {"ports": (9000,), "parameters": {"max": 0}}),
    "connection-limit-egress": (
        "network.connection_limit",
        (),
        {"between": ("a", "b"), "direction": "egress", "parameters": {"max": 2}},
    ),
    "port-exhaustion": ("network.port_exhaustion", ("a",), {"parameters": {"leave": 3}}),
    "port-exhaustion-whole": ("network.port_exhaustion", ("a",), {}),
    "disconnect": ("network.disconnect", ("a",), {}),
    "disconnect-again": ("network.disconnect", ("a", "b"), {}),
}


@pytest.mark.parametrize("case", CASES)
def test_a_fault_is_proven_and_leaves_nothing(engine, stage, services, case):
    kind, targets, options = CASES[case]
    fault = opened(stage, services, kind, *targets, **options)
    with unchanged(engine, *(one.id for one in services.values())):
        lived(fault)
    recovery = fault.recovery()
    assert recovery is None or recovery.success
    assert (recovery is None) == (case.startswith("port-"))


def ask_as(stage: Stage, service: Container, name: str) -> None:
    """Send a question as a program of the service does; its answer may never come."""

    def ask() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(0.3)
            sock.sendto(DNSRecord.question(name).pack(), (stage.slot.gateway, 53))
            with contextlib.suppress(TimeoutError):
                sock.recv(512)

    in_namespace(namespace_of_pid(stage.state(service).pid), ask)


class OneSlot:
    """The resolver of the stage's one slot, as a run's network hands it to faults."""

    def __init__(self, resolver: Resolver) -> None:
        self.resolver = resolver

    def strike_names(self, _: int, rule: NameRule) -> NameStrike:
        return self.resolver.strike(rule)

    def calm_names(self, _: int, strike: NameStrike) -> None:
        self.resolver.calm(strike)

    def strikes(self, _: int) -> tuple[NameStrike, ...]:
        return self.resolver.strikes


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        ("dns.nxdomain", {"percent": 50.0}),
        ("dns.servfail", {"names": ("b", "c")}),
        ("dns.timeout", {}),
        ("dns.delay", {"delay": Duration(2 * 10**8)}),
        ("dns.spoof", {"names": ("*.example.com",), "address": "192.0.2.7"}),
    ],
)
def test_a_fault_of_names_is_proven_and_leaves_nothing(engine, stage, services, kind, parameters):
    asked = "x.example.com" if kind == "dns.spoof" else "b"
    resolver = Resolver(stage.slot.gateway, subnet=stage.slot.subnet)
    resolver.set_names({name: one.address for name, one in services.items()})
    resolver.start()
    try:
        where = replace(stage.context(*services.values()), names=OneSlot(resolver))
        fault = open_fault(strike(kind, "a", parameters=parameters), where)
        with unchanged(engine, *(one.id for one in services.values())):
            lived(fault, lambda: [ask_as(stage, services["a"], asked) for _ in range(9)])
        assert resolver.strikes == ()
        # Whatever was asked to prove it is nobody's attempt to reach anything.
        assert [drop for drop in resolver.refusals() if drop.name != asked] == []
    finally:
        resolver.stop()


def within(stage: Stage, service: Container, *command: str) -> str:
    """Run a command as root in the service's network."""
    return in_namespace(namespace_of_pid(stage.state(service).pid), lambda: run_command(command))


def test_rules_that_a_privileged_service_flushes_are_a_lapse(stage, services):
    fault = opened(stage, services, "network.blackhole", "a")
    try:
        fault.inject()
        assert fault.verify().holds
        (table,) = [
            line for line in within(stage, services["a"], "nft", "list", "tables").splitlines() if "clr_" in line
        ]
        within(stage, services["a"], "nft", "flush", *table.split())
    finally:
        fault.revert()
    reversal = fault.verify_reversal()
    assert reversal.holds, reversal
    assert "a: some of its rules were not there any more" in reversal.lapsed


def test_rules_that_go_with_their_interface_are_a_lapse(stage, services):
    dropping = opened(stage, services, "network.blackhole", "a", direction="egress", ports=(9000,))
    off = opened(stage, services, "network.disconnect", "a")
    try:
        dropping.inject()
        assert dropping.verify().holds
        off.inject()
        assert off.verify().holds
    finally:
        off.revert()
        dropping.revert()
    assert off.verify_reversal().holds
    reversal = dropping.verify_reversal()
    assert reversal.holds, reversal
    assert reversal.lapsed == "a: its interface was taken away, and its rules with it"


def test_windows_that_overlap_end_in_any_order(engine, stage, services):
    """The link is dead when the delay ends: that it cannot be looked at is no proof that it is still slow."""
    slow = opened(stage, services, "network.latency", "a", parameters={"delay": Duration(50 * 10**6)})
    dropping = opened(stage, services, "network.blackhole", "a")
    with unchanged(engine, *(one.id for one in services.values())):
        try:
            slow.inject()
            assert slow.verify().holds
            dropping.inject()
            assert dropping.verify().holds
            slow.revert()
            reversal = slow.verify_reversal()
            assert (reversal.holds, reversal.lapsed) == (True, ""), reversal
        finally:
            slow.revert()
            dropping.revert()
        assert dropping.verify_reversal().holds


def test_a_second_fault_on_the_ports_of_a_service_is_refused(engine, stage, services):
    first = opened(stage, services, "network.port_exhaustion", "a", parameters={"leave": 3})
    second = opened(stage, services, "network.port_exhaustion", "a", parameters={"leave": 5})
    with unchanged(engine, services["a"].id):
        try:
            first.inject()
            with pytest.raises(CapabilityError, match="has taken the ports of a already"):
                second.inject()
        finally:
            first.revert()
            second.revert()
        assert first.verify_reversal().holds

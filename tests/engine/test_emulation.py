"""The emulated faults of a link on real containers: each bites, is proven, and leaves nothing; alone and together."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import ExitStack

import pytest

from cleanroom.faults.ladder import open_fault
from cleanroom.faults.network.emulated import Emulated
from cleanroom.faults.traffic.queue import QueueTraffic
from cleanroom.network.command import run as command
from cleanroom.network.namespace import in_namespace, namespace_of_pid
from cleanroom.plan.model import FaultEvent
from cleanroom.quantity import Duration, Rate
from tests.engine.residue import unchanged
from tests.engine.stage import Stage, open_stage, strike
from tests.engine.wire import running, wait_until

# What make test has no time for is in make test-full.
pytestmark = pytest.mark.full

MS = 10**6
EFFECTS: Mapping[str, dict[str, object]] = {
    "latency": {"delay": Duration(60 * MS)},
    "loss": {"percent": 20.0},
    "corrupt": {"percent": 20.0},
    "duplicate": {"percent": 20.0},
    "reorder": {"percent": 25.0, "gap": 2, "delay": Duration(60 * MS)},
    "bandwidth": {"rate": Rate(2 * 10**6)},
    "flap": {"up": Duration(300 * MS), "down": Duration(300 * MS)},
}
NO_TABLE = ("sh", "-c", "nft list tables netdev | sed 's/^/delete /' | nft -f -")


@pytest.fixture
def stage(engine, run) -> Iterator[Stage]:
    with open_stage(engine, run) as made:
        yield made


def make(kind: str, *targets: str, parameters: dict[str, object] | None = None, **options: object) -> FaultEvent:
    chosen = EFFECTS[kind] if parameters is None else parameters
    return strike(f"network.{kind}", *targets, parameters=chosen, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "parameters", "options"),
    [
        *((kind, None, {}) for kind in EFFECTS if kind != "latency"),
        *((kind, None, {"direction": "both"}) for kind in ("bandwidth", "flap", "loss")),
        *((kind, None, {"direction": "ingress", "ports": (8080,)}) for kind in ("corrupt", "duplicate", "bandwidth")),
        ("loss", {"every": 7}, {"backend": "nfqueue", "ports": (8080,)}),
        ("loss", {"every": 7}, {"backend": "nftables", "direction": "ingress"}),
        ("loss", {"gilbert": {"p": 10.0, "r": 30.0, "good": 0.0, "bad": 90.0}}, {"backend": "nfqueue"}),
        ("loss", {"gilbert": {"p": 10.0, "r": 30.0, "good": 0.0, "bad": 90.0}}, {"backend": "nftables"}),
        ("loss", None, {"backend": "nftables", "protocol": "tcp"}),
    ],
)
def test_a_fault_is_proven_and_leaves_nothing(stage, kind, parameters, options):
    db = stage.service("db", 10, ports=(5432,))
    fault = open_fault(make(kind, "db", parameters=parameters, **options), stage.context(db))
    with unchanged(stage.engine, db.id):
        fault.inject()
        effect = fault.verify()
        fault.revert()
        fault.revert()
        reversal = fault.verify_reversal()
    assert effect.holds, effect
    assert (reversal.holds, reversal.lapsed) == (True, ""), reversal
    if kind == "corrupt":
        # What leaves arrives damaged, bit by bit; what comes in nobody sees again.
        assert (effect.facts["db.damaged_during"] > 0) is (options.get("direction") != "ingress")


def test_a_pair_is_struck_on_both_ends(stage):
    api, db = stage.service("api", 10), stage.service("db", 11)
    context = stage.context(api, db)
    for kind in ("loss", "bandwidth"):
        fault = open_fault(make(kind, between=("api", "db")), context)
        with unchanged(stage.engine, api.id, db.id):
            fault.inject()
            effect = fault.verify()
            fault.revert()
            reversal = fault.verify_reversal()
        assert effect.holds, effect
        assert reversal.holds, reversal


def test_many_faults_on_one_container_are_each_proven_and_each_taken_back(stage):
    db = stage.service("db", 10)
    context = stage.context(db)
    kinds = ("bandwidth", "latency", "duplicate", "loss", "reorder", "corrupt")
    with unchanged(stage.engine, db.id):
        faults = []
        for kind in kinds:
            fault = open_fault(make(kind, "db"), context)
            fault.inject()
            faults.append(fault)
            effect = fault.verify()
            assert effect.holds, effect
        # Not in the order in which they came: what is left of the tree goes on.
        for number, fault in enumerate((*faults[1::2], *faults[::2])):
            fault.revert()
            reversal = fault.verify_reversal()
            assert (reversal.holds, reversal.lapsed) == (True, ""), (number, reversal)


def test_the_same_seed_decides_the_same(stage):
    db = stage.service("db", 10)
    found = set()
    for _ in range(3):
        fault = open_fault(make("loss", "db", backend="nfqueue", parameters={"percent": 10.0}), stage.context(db))
        fault.inject()
        found.add(fault.verify().facts["db.decisions"])
        fault.revert()
        assert fault.verify_reversal().holds
    assert len(found) == 1
    assert len(found.pop()) == 64


def traffic_of(fault: object) -> QueueTraffic:
    assert isinstance(fault, Emulated)
    traffic = fault.hits[0].traffic
    assert isinstance(traffic, QueueTraffic)
    return traffic


def test_the_death_of_the_worker_is_a_lapse_of_every_fault_that_it_carried(stage):
    db = stage.service("db", 10)
    context = stage.context(db)
    with ExitStack() as stack:
        faults = [open_fault(make(kind, "db", backend="nfqueue"), context) for kind in ("loss", "duplicate")]
        for fault in faults:
            stack.callback(fault.revert)
            fault.inject()
        worker = traffic_of(faults[0]).worker
        assert worker == traffic_of(faults[1]).worker
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: not running(worker))
        assert [fault.verify().holds for fault in faults] == [False, False]
    for fault in faults:
        reversal = fault.verify_reversal()
        assert reversal.holds, reversal
        assert "the worker that held packets ended early" in reversal.lapsed


@pytest.mark.parametrize(
    ("kind", "options", "undo", "lapse"),
    [
        ("loss", {"backend": "nfqueue"}, ("iptables", "-t", "mangle", "-F"), "not there"),
        ("loss", {"backend": "nftables"}, NO_TABLE, "not there"),
        ("flap", {}, NO_TABLE, "not there|could not be toggled"),
        ("bandwidth", {}, ("tc", "qdisc", "del", "dev", "eth0", "root"), "not there"),
    ],
)
def test_a_fault_that_somebody_took_away_is_not_proven_and_a_lapse(stage, kind, options, undo, lapse):
    db = stage.service("db", 10)
    fault = open_fault(make(kind, "db", **options), stage.context(db))
    with unchanged(stage.engine, db.id):
        fault.inject()
        in_namespace(namespace_of_pid(stage.state(db).pid), lambda: command(undo))
        effect = fault.verify()
        fault.revert()
        reversal = fault.verify_reversal()
    assert not effect.holds, effect
    assert effect.reason
    assert any(word in reversal.lapsed for word in lapse.split("|")), reversal
    assert reversal.holds, reversal

from __future__ import annotations

import pytest

from cleanroom.quantity import Duration
from cleanroom.spec.service import Restart, Service
from tests.unit.spec.faults import SERVICES, checked, codes

KILL = "fault: container.kill"
SLOW = "fault: network.latency, delay: 1s"


@pytest.mark.parametrize(
    ("entry", "code", "told"),
    [
        (f"{{id: x, {KILL}, target: dbb}}", "unknown-service", "did you mean db?"),
        (f"{{id: x, {KILL}, target: {{name: dbb}}}}", "unknown-service", "did you mean db?"),
        (f"{{id: x, {KILL}, target: {{any_of: [api, wbe]}}}}", "unknown-service", "did you mean web?"),
        (f"{{id: x, {SLOW}, between: [api, dbb]}}", "unknown-service", "did you mean db?"),
        ("{id: x, fault: network.partition, groups: [[api], [wbe]]}", "unknown-service", "did you mean web?"),
        (f"{{id: x, {KILL}, target: db-2}}", "unknown-service", "{replica: 2, of: db}"),
        (f"{{id: x, {KILL}, target: {{replica: 1, of: dbb}}}}", "unknown-service", "did you mean db?"),
        (f"{{id: x, {KILL}, target: {{replica: 4, of: db}}}}", "unknown-replica", ""),
        (f"{{id: x, {KILL}, target: {{replica: 1, of: api}}}}", "unknown-replica", "write target: api"),
        ("{id: x, fault: process.signal, match: w, target: pay}", "impossible", "a mock"),
        ("{id: x, fault: filesystem.missing, path: /f, target: {any_of: [api, pay]}}", "impossible", "a mock"),
        (f"{{id: x, {KILL}, target: api, revive: policy}}", "impossible", "revive: start"),
        (f"{{id: x, {KILL}, target: db, at: {{before_step: palce}}}}", "unknown-step", "did you mean place?"),
        (f"{{id: x, {KILL}, target: db, until: {{step: palce}}}}", "unknown-step", "did you mean place?"),
        (f"{{id: x, {KILL}, target: db, at: {{when: {{tcp: {{service: dbb, port: 1}}}}}}}}", "unknown-service", "db"),
        (f"{{id: x, {KILL}, target: db, at: {{after_step: check}}}}", "impossible", "for: …"),
        (f"{{id: x, {KILL}, target: db, at: {{before_step: check}}, until: {{step: place}}}}", "impossible", "later"),
        (f"{{id: x, {KILL}, target: db, until: {{step: place}}}}", "impossible", "later"),
        (f"{{id: x, {KILL}, target: db, at: 60s}}", "impossible", ""),
        (f"{{id: x, {KILL}, target: db, at: manual}}", "never-injected", "inject: x"),
        ("{id: x, fault: process.signal, match: w, target: db, for: 1s}", "contradiction", "take the key out"),
        (("{id: x, fault: custom, inject: {service: dbb, command: a}, verify: {service: db, command: b}, "
         "revert: {service: db, command: c}}"), "unknown-service", "did you mean db?"),
        ("{id: x, fault: composite.cascade, root: dbb, dependents: [api]}", "unknown-fault", "did you mean db?"),
        ("{id: x, fault: composite.cascade, root: db, dependents: [api, wbe]}", "unknown-service", "did you mean web?"),
        ("{id: x, fault: composite.cascade, root: db, dependents: [api, db]}", "contradiction", ""),
        ("{id: x, fault: composite.cascade, root: db, dependents: [api, api]}", "duplicate-dependent", ""),
        ("{id: x, fault: composite.monkey, rate: 1, every: 1s, weights: {container.kil: 1}, target: db}",
         "unknown-fault", "did you mean container.kill?"),
        ("{id: x, fault: composite.monkey, rate: 1, every: 1s, weights: {network.latency: 1}, target: db}",
         "missing-key", "at: manual"),
        ("{id: x, fault: composite.monkey, rate: 1, every: 1s, weights: {network.loss: 1}, target: db}",
         "missing-key", "at: manual"),
        ("{id: x, fault: composite.monkey, rate: 1, every: 1s, weights: {container.kill: 1}}", "missing-key", ""),
        ("{id: x, fault: composite.monkey, rate: 1, every: 1ms, weights: {container.kill: 1}, target: db}",
         "impossible", "longer"),
        (("{id: x, fault: composite.sweep, target: db, "
         "parameters: {fault: network.latency, parameter: dealy, values: [1s, 2s]}}"), "unknown-parameter", "delay"),
        (("{id: x, fault: composite.sweep, target: db, "
         "parameters: {fault: network.latency, parameter: delay, values: [1s, soon]}}"), "wrong-value", ""),
        (("{id: x, fault: composite.sweep, target: db, "
         "parameters: {fault: network.latency, parameter: jitter, values: [1s, 2s]}}"), "missing-key", "at: manual"),
        (("{id: x, fault: composite.sweep, "
         "parameters: {fault: network.latency, parameter: delay, values: [1s, 2s]}}"), "missing-key", ""),
    ],
)  # fmt: skip
def test_what_does_not_fit_together_is_reported(entry, code, told):
    log = checked(entry)
    assert codes(log) == [code], log.found
    (problem,) = log.sorted()
    assert told in problem.suggestion + problem.message
    assert problem.at.line == 5


@pytest.mark.parametrize(
    "entry",
    [
        f"{{id: x, {KILL}, target: db}}",
        f"{{id: x, {KILL}, target: broken, revive: policy}}",
        f"{{id: x, {KILL}, target: {{replica: 3, of: db}}}}",
        f"{{id: x, {KILL}, target: {{replica: 3, of: broken}}}}",
        f"{{id: x, {KILL}, target: {{label: tier=storage}}}}",
        f"{{id: x, {KILL}, target: {{label: tier=other}}}}",  # the broken service may have it
        f"{{id: x, {SLOW}, target: pay}}",
        "{id: x, fault: http.status, code: 503, target: pay}",
        f"{{id: x, {KILL}, target: db, at: {{after_step: check}}, for: 1s}}",
        "{id: x, fault: cache.flush, target: db, at: {after_step: check}}",
        f"{{id: x, {KILL}, target: db, at: {{before_step: place}}, until: {{step: check}}}}",
        "{id: x, fault: process.signal, match: w, signal: STOP, target: db, for: 1s}",
        "{id: x, fault: composite.cascade, root: db, dependents: [api, web]}",
        "{id: x, fault: composite.monkey, rate: 1, every: 1s, weights: {cache.flush: 2.5}, target: api}",
        (
            "{id: x, fault: composite.sweep, target: db, "
            "parameters: {fault: network.loss, parameter: percent, values: [1, 2%]}}"
        ),
    ],
)
def test_what_fits_together_is_let_through(entry):
    assert not checked(entry).found


def test_a_label_that_no_service_has():
    log = checked(f"{{id: x, {KILL}, target: {{label: tier=storag}}}}", services={"db": SERVICES["db"]})
    assert codes(log) == ["unknown-label"]
    assert log.sorted()[0].suggestion == "did you mean tier=storage?"


def test_a_restart_policy_brings_a_service_back():
    services = {"db": Service(name="db", image="db", restart=Restart(policy="always"))}
    assert not checked(f"{{id: x, {KILL}, target: db, revive: policy}}", services=services).found


def test_an_id_stands_once():
    log = checked(f"{{id: x, {KILL}, target: db}}", f"{{id: x, {KILL}, target: api}}")
    assert codes(log) == ["duplicate-fault"]


def test_a_manual_fault_is_injected_by_a_step_or_by_a_composite():
    manual = f"{{id: x, {KILL}, target: db, at: manual}}"
    other = f"{{id: y, {SLOW}, target: api, at: manual}}"
    assert codes(checked(manual, other, injects=("x",))) == ["never-injected"]
    assert not checked(manual, other, injects=("x", "y")).found
    assert not checked(manual, other, "{id: z, fault: composite.concurrent, faults: [x, y]}").found
    assert not checked(
        manual, other, "{id: z, fault: composite.monkey, rate: 1, every: 1s, weights: {x: 1, y: 2}}"
    ).found
    assert not checked(manual, "{id: z, fault: composite.cascade, root: x, dependents: [api]}").found


def test_parts_of_a_composite_begin_when_it_does():
    log = checked(f"{{id: x, {KILL}, target: db}}", "{id: z, fault: composite.cascade, root: x, dependents: [api]}")
    assert codes(log) == ["not-manual"]


def test_a_part_is_named_once():
    part = f"{{id: x, {KILL}, target: db, at: manual}}"
    assert codes(checked(part, "{id: z, fault: composite.concurrent, faults: [x, x]}")) == ["duplicate-member"]


def test_a_target_that_no_part_uses_is_refused():
    part = f"{{id: x, {KILL}, target: db, at: manual}}"
    monkey = "{id: z, fault: composite.monkey, rate: 1, every: 1s, weights: {x: 1}, target: db}"
    assert codes(checked(part, monkey)) == ["contradiction"]


def test_a_sweep_of_a_declared_fault_varies_what_that_fault_can_have():
    part = "{id: x, fault: network.loss, every: 3, target: db, at: manual}"
    sweep = "{{id: z, fault: composite.sweep, parameters: {{fault: x, parameter: {}, values: [1, 2]}}}}"
    assert not checked(part, sweep.format("every")).found
    assert codes(checked(part, sweep.format("percent"))) == ["one-of"]
    assert codes(checked(part, sweep.format("every"), sweep.format("every").replace("z", "y"))) == ["contradiction"]


def test_a_cycle_of_composites_is_named_in_order():
    a = "{id: a, fault: composite.concurrent, faults: [b, d], at: manual}"
    b = "{id: b, fault: composite.concurrent, faults: [c, d], at: manual}"
    c = "{id: c, fault: composite.concurrent, faults: [a, d], at: manual}"
    log = checked(a, b, c, f"{{id: d, {KILL}, target: db, at: manual}}")
    assert codes(log) == ["dependency-cycle"]
    assert "a -> b -> c -> a" in log.sorted()[0].message


@pytest.mark.parametrize(
    ("first", "second", "refused"),
    [
        ("clock.skew, offset: 1h, target: api", "clock.rate, rate: 2, target: api", True),
        ("clock.skew, offset: 1h, target: api", "clock.rate, rate: 2, target: web", False),
        ("clock.skew, offset: 1h, target: api, for: 1s", "clock.rate, rate: 2, target: api, at: 1s", False),
        ("clock.skew, offset: 1h, target: api, for: 2s", "clock.rate, rate: 2, target: api, at: 1s", True),
        ("clock.skew, offset: 1h, target: api, probability: 0.5", "clock.rate, rate: 2, target: api", False),
        ("clock.skew, offset: 1h, target: api", "clock.rate, rate: 2, target: api, at: {before_step: check}", False),
        ("clock.skew, offset: 1h, target: {any_of: [api]}", "clock.rate, rate: 2, target: api", False),
        (
            "clock.skew, offset: 1h, target: api, until: {step: check}",
            "clock.rate, rate: 2, target: api, at: 1s",
            False,
        ),
        ("network.latency, delay: 1s, target: api", "network.latency, delay: 2s, target: api", False),
    ],
)
def test_windows_are_refused_when_they_certainly_contradict_each_other(first, second, refused):
    log = checked(f"{{id: a, fault: {first}}}", f"{{id: b, fault: {second}}}")
    assert codes(log) == (["contradiction"] if refused else [])


def test_each_part_that_is_not_there_is_named():
    log = checked("{id: x, fault: composite.concurrent, faults: [y, z]}")
    assert codes(log) == ["unknown-fault", "unknown-fault"]


def test_a_fault_after_the_timeout_never_begins():
    log = checked(f"{{id: x, {KILL}, target: db, at: 5s}}", timeout=Duration(4 * 10**9))
    assert codes(log) == ["impossible"]

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.quantity import Duration, Size
from cleanroom.spec.fault import AtManual, AtOffset, AtProbe, AtStep, Repeat
from cleanroom.spec.instant import Instant
from cleanroom.spec.query import ExecAction
from cleanroom.spec.shapes.chaos import RECORDS, defaults_of, value_of
from cleanroom.spec.shapes.fault_table import FAULTS
from cleanroom.spec.shapes.record import Record
from cleanroom.spec.target import Target
from tests.unit.spec.faults import codes, read

# The table of spec.md section 8, as it is written there: family, then each fault with the names of its parameters.
TABLE = {
    "container": "kill signal revive;stop grace;pause;restart times grace;crash_loop every times;recreate keep_volumes;"
    "exit code times;oom memory",
    "process": "signal match signal count;zombies count;fork_bomb pids",
    "network": "latency delay jitter distribution correlation;loss percent every gilbert;corrupt percent;"
    "duplicate percent;reorder percent gap delay;bandwidth rate burst;partition groups one_way;disconnect;refuse;"
    "reset after;blackhole;slow_close delay;slice size delay;limit_data bytes;connection_limit max;"
    "port_exhaustion leave;flap up down",
    "dns": "nxdomain names percent;servfail names percent;timeout names percent;delay delay names percent;"
    "spoof address names percent",
    "http": "abort after route percent;delay delay jitter route percent;status code retry_after route percent;"
    "body replace truncate route percent;headers set remove route percent;fail_first count code route percent;"
    "rate_limit rate burst route percent",
    "resource": "cpu_stress workers load;cpu_throttle cpus;memory_pressure size percent ramp;memory_limit memory;"
    "memory_leak step every;disk_full path leave percent;inode_exhaustion path leave;fd_exhaustion leave;"
    "pids_limit max;io_throttle read write;file_size max",
    "filesystem": "read_only path;permission path mode owner;missing path;corrupt path offset bytes truncate;"
    "io_error path operations errno percent;io_delay path operations delay;lock path kind;churn path workers files;"
    "symlink path kind;unlink_open path",
    "clock": "skew offset;jump offsets every;rate rate;freeze at",
    "dependency": "down mode;unhealthy",
    "database": "lock table mode;kill_sessions count percent match;exhaust_connections leave;pause_replay;promote",
    "cache": "flush;maxmemory memory policy;slow delay",
    "broker": "memory_alarm;delete_queue queue",
    "credentials": "rotate user",
    "composite": "monkey rate every weights max_concurrent;cascade root dependents delay;concurrent faults;"
    "sweep fault parameter values slope",
}
WRITTEN = {f"{family}.{row.split()[0]}": row.split()[1:] for family, rows in TABLE.items() for row in rows.split(";")}
WRITTEN["custom"] = ["inject", "verify", "revert"]


def minimal(kind, *, also="", without=()):
    """The shortest entry of chaos with this kind, written from the examples of its own record."""
    known = FAULTS[kind]
    examples = {key: value.example or value.shape.example for key, value in known.parameters.items()}
    keys = [*list(known.required), *known.exactly_one[:1], *known.at_least_one[:1]]
    keys = [*(key for key in keys if key not in without), *([also] if also and also not in keys else [])]
    keys += [known.needs[key] for key in keys if key in known.needs]
    body = ", ".join(f"{key}: {examples[key]}" for key in keys)
    target = ", target: api" if known.struck_by and not {also} & {*known.struck_by} else ""
    inside = f"parameters: {{{body}}}" if known.nested and body else body
    return f"{{id: x, fault: {kind}{target}{', ' if inside else ''}{inside}}}"


def test_the_table_has_every_fault_of_the_specification_with_exactly_its_parameters():
    assert {kind: list(known.parameters) for kind, known in FAULTS.items()} == WRITTEN


@pytest.mark.parametrize("kind", FAULTS)
def test_every_fault_is_read_and_named_where_run_cannot_carry_it_out(kind):
    found, log = read(minimal(kind))
    assert not log.found, log.found
    assert found.kind == kind
    assert found.moment == AtOffset(offset=Duration(0))
    named = [problem.message for problem in log.unavailable()]
    assert any(f"the fault {kind} " in message for message in named) != FAULTS[kind].available


@pytest.mark.parametrize(("kind", "parameter"), [(k, p) for k, known in FAULTS.items() for p in known.parameters])
def test_every_parameter_takes_its_example_and_refuses_a_mapping_of_nonsense(kind, parameter):
    known = FAULTS[kind]
    exclusive = [group for group in (known.exactly_one, *known.at_most_one) if parameter in group]
    rivals = {key for group in exclusive for key in group} - {parameter}
    text = minimal(kind, also=parameter, without=rivals)
    found, log = read(text)
    if kind == "filesystem.corrupt" and parameter == "offset":
        return  # needs bytes: its own test
    assert not log.found, (text, log.found)
    assert parameter in found.parameters
    example = known.parameters[parameter].example or known.parameters[parameter].shape.example
    broken, log = read(text.replace(f"{parameter}: {example}", f"{parameter}: {{nonsense: [1]}}"))
    if (kind, parameter) in (("http.headers", "set"), ("composite.monkey", "weights")):
        assert codes(log)  # a table of texts: its values are refused
    else:
        assert broken is None
        assert codes(log)


@pytest.mark.parametrize("kind", FAULTS)
def test_defaults_are_those_of_the_documentation(kind):
    found = defaults_of(kind)
    documented = {name for name, key in FAULTS[kind].parameters.items() if key.default}
    assert set(found) - documented == ({"revive"} if kind == "container.kill" else set())
    assert not documented & set(FAULTS[kind].required)


@pytest.mark.parametrize(
    ("kind", "parameter", "value"),
    [
        ("container.stop", "grace", Duration(10 * 10**9)), ("container.restart", "times", 1),
        ("container.recreate", "keep_volumes", True), ("container.exit", "times", 1),
        ("process.signal", "signal", "TERM"),
        ("process.signal", "count", "all"), ("network.latency", "jitter", Duration(0)),
        ("network.latency", "distribution", "uniform"), ("network.partition", "one_way", False),
        ("dns.nxdomain", "percent", 100.0), ("dns.nxdomain", "names", ("*",)), ("http.status", "percent", 100.0),
        ("http.abort", "after", Size(0)), ("resource.cpu_stress", "load", 100.0), ("filesystem.lock", "kind", "flock"),
        ("container.kill", "signal", "KILL"),
    ],
)  # fmt: skip
def test_defaults_have_the_values_of_the_specification(kind, parameter, value):
    assert defaults_of(kind)[parameter] == value
    assert type(defaults_of(kind)[parameter]) is type(value)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{id: x, fault: network.loss, target: db, percent: 500}", "wrong-value"),
        ("{id: x, fault: network.loss, target: db, percent: 0}", "wrong-value"),
        ("{id: x, fault: network.loss, target: db, percent: nan%}", "wrong-value"),
        ("{id: x, fault: network.loss, target: db, percent: 5, every: 3}", "one-of"),
        ("{id: x, fault: network.loss, target: db}", "one-of"),
        ("{id: x, fault: network.latency, target: db}", "missing-key"),
        ("{id: x, fault: network.latency, target: db, delay: soon}", "wrong-value"),
        ("{id: x, fault: network.latency, delay: 1s}", "missing-key"),
        ("{id: x, fault: network.latency, target: db, between: [a, b], delay: 1s}", "one-of"),
        ("{id: x, fault: network.latency, between: [a, a], delay: 1s}", "wrong-value"),
        ("{id: x, fault: network.latency, between: [a], delay: 1s}", "wrong-value"),
        ("{id: x, fault: network.partition, groups: [[a]]}", "wrong-value"),
        ("{id: x, fault: network.partition, groups: [[a], [a, b]]}", "wrong-value"),
        ("{id: x, fault: network.partition, groups: [[a], []]}", "empty-list"),
        ("{id: x, fault: network.partition, groups: [[a], [b]], target: a}", "one-of"),
        ("{id: x, fault: container.kill, target: db, between: [a, b]}", "unknown-key"),
        ("{id: x, fault: container.kill, target: db, ports: [1]}", "unknown-key"),
        ("{id: x, fault: container.kill, target: db, backend: netem}", "wrong-value"),
        ("{id: x, fault: cache.flush, target: db, for: 1s}", "unknown-key"),
        ("{id: x, fault: cache.flush, target: db, until: {step: a}}", "unknown-key"),
        ("{id: x, fault: container.kill, target: db, for: 1s, until: {step: a}}", "one-of"),
        ("{id: x, fault: container.kill, target: db, verify: false}", "missing-key"),
        ("{id: x, fault: container.kill, target: db, verify: true, verify_reason: y}", "contradiction"),
        ("{id: x, fault: container.kill, target: db, verify_reason: y}", "missing-key"),
        ("{id: x, fault: container.kill, target: db, at: manual, repeat: {every: 1s, times: 2}}", "contradiction"),
        ("{id: x, fault: container.kill, target: db, at: 2025-01-01T00:00:00Z}", "wrong-value"),
        ("{id: x, fault: container.kill, target: db, at: {before_step: a, after_step: b}}", "one-of"),
        ("{id: x, fault: container.kill, target: db, at: {before_step: a, offset: 1s}}", "missing-key"),
        ("{id: x, fault: container.kill, target: {any_of: [a, a], count: 2}}", "wrong-value"),
        ("{id: x, fault: container.kill, target: {all: false}}", "wrong-value"),
        ("{id: x, fault: container.kill, target: {replica: 1}}", "missing-key"),
        ("{id: x, fault: container.kill, target: {of: db}}", "one-of"),
        ("{id: x, fault: container.kill, target: {label: storage}}", "wrong-value"),
        ("{id: x, fault: container.kill, target: {name: db, count: 1}}", "missing-key"),
        ("{id: x, fault: container.kill, target: [db]}", "wrong-type"),
        ("{id: x, target: db}", "missing-key"),
        ("{fault: container.kill, target: db}", "missing-key"),
        ("{id: x, fault: kill, target: db}", "unknown-fault"),
        ("{id: x, fault: container.kill, target: db, probability: 2}", "wrong-value"),
        ("{id: x, fault: clock.skew, target: db, offset: 0}", "wrong-value"),
        ("{id: x, fault: clock.freeze, target: db, parameters: {at: tomorrow}}", "wrong-value"),
        ("{id: x, fault: filesystem.missing, target: db, path: etc}", "wrong-value"),
        ("{id: x, fault: filesystem.permission, target: db, path: /etc}", "missing-key"),
        ("{id: x, fault: filesystem.permission, target: db, path: /etc, mode: '0999'}", "wrong-value"),
        ("{id: x, fault: filesystem.corrupt, target: db, path: /etc, truncate: 1, offset: 2}", "one-of"),
        ("{id: x, fault: dns.spoof, target: db, address: nowhere}", "wrong-value"),
        ("{id: x, fault: composite.concurrent, faults: [a, b], target: db}", "unknown-key"),
        ("{id: x, fault: composite.concurrent, faults: [a]}", "empty-list"),
        ("{id: x, fault: composite.sweep, target: db, values: [1, 2]}", "missing-key"),
        ("{id: x, fault: custom, inject: {service: a, command: b}, revert: {service: a, command: c}}", "missing-key"),
        ("{id: x, fault: custom, inject: {service: a, command: b}, verify: false, revert: {service: a, command: c}}",
         "missing-key"),
        ("{id: x, fault: [container.kill], target: db}", "wrong-type"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(text, code):
    _, log = read(text)
    assert code in codes(log), log.found


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("{id: x, fault: latency, target: db, delay: 1s}", "did you mean network.latency?"),
        ("{id: x, fault: delay, target: db, delay: 1s}", "did you mean dns.delay or http.delay?"),
        ("{id: x, fault: network.latencey, target: db, delay: 1s}", "did you mean network.latency?"),
        ("{id: x, fault: network.latency, target: db, dealy: 1s}", "did you mean delay?"),
        ("{id: x, fault: network.latency, target: db, delay: 1s, backend: netme}", "did you mean netem?"),
        ("{id: x, fault: cache.flush, target: db, for: 1s}", "happens and is over"),
        ("{id: x, fault: composite.sweep, parameter: delay}", "write it under parameters"),
        ("{id: x, fault: clock.freeze, target: db, at: 2025-01-01T00:00:00Z}", "parameters: {at: …}"),
    ],
)
def test_a_mistake_is_told_with_what_was_meant(text, meant):
    _, log = read(text)
    assert any(meant in problem.suggestion for problem in log.sorted()), log.found


def test_everything_that_all_faults_share_is_kept():
    text = """\
id: slow-db
fault: network.latency
between: [api, db]
direction: both
ports: [5432]
protocol: tcp
delay: 500ms
jitter: 100ms
correlation: 25%
distribution: normal
at: {during_step: place, offset: 200ms}
for: 10s
probability: 0.5
repeat: {every: 1s, times: 3}
backend: nfqueue
verify: false
verify_reason: nobody looks
allow_inconclusive: {reason: it may lack netem}
"""
    found, log = read(text)
    assert not log.found
    assert not log.deferred
    assert (found.between, found.direction, found.ports, found.protocol) == (("api", "db"), "both", (5432,), "tcp")
    assert found.moment == AtStep(moment="during", step="place", offset=Duration(2 * 10**8))
    assert (found.duration, found.probability, found.repeat) == (
        Duration(10**10),
        0.5,
        Repeat(every=Duration(10**9), times=3),
    )
    assert (found.backend, found.verify, found.verify_reason) == ("nfqueue", False, "nobody looks")
    assert found.allow_inconclusive == "it may lack netem"
    assert dict(found.parameters) == {
        "delay": Duration(5 * 10**8), "jitter": Duration(10**8), "correlation": 25.0, "distribution": "normal",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "target", "later"),
    [
        ("db", Target(service="db"), False),
        ("{name: db}", Target(service="db"), False),
        ("{any_of: [a, b], count: 2}", Target(any_of=("a", "b"), count=2), False),
        ("{all: true}", Target(all=True), False),
        ("{label: tier=a=b}", Target(label=("tier", "a=b")), False),
        ("{replica: 2, of: db}", Target(replica=2, of="db"), True),
    ],
)
def test_targets(text, target, later):
    found, log = read(f"{{id: x, fault: container.kill, target: {text}}}")
    assert not log.found
    assert found.target == target
    assert bool(log.deferred) == later


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2s", AtOffset(offset=Duration(2 * 10**9))),
        ("0", AtOffset(offset=Duration(0))),
        ("manual", AtManual()),
        ("{before_step: a}", AtStep(moment="before", step="a")),
        ("{after_step: a}", AtStep(moment="after", step="a")),
    ],
)
def test_moments(text, moment):
    found, log = read(f"{{id: x, fault: container.kill, target: db, at: {text}}}")
    assert not log.found
    assert found.moment == moment
    assert not log.deferred


def test_a_probe_is_a_moment():
    found, log = read("{id: x, fault: container.kill, target: db, at: {when: {tcp: {service: api, port: 80}}}}")
    assert not log.found
    assert isinstance(found.moment, AtProbe)
    assert not log.unavailable()


def test_values_of_parameters():
    found, _ = read('{id: x, fault: clock.freeze, target: db, at: 2s, parameters: {at: "2025-01-01T00:00:00Z"}}')
    assert found.moment == AtOffset(offset=Duration(2 * 10**9))
    assert dict(found.parameters) == {"at": Instant(1735689600 * 10**9)}
    found, _ = read("{id: x, fault: filesystem.permission, target: db, path: /etc, mode: 0400}")
    assert found.parameters["mode"] == "0400"
    found, _ = read("{id: x, fault: network.loss, target: db, gilbert: {p: 5%, r: 30}}")
    assert dict(found.parameters["gilbert"]) == {"p": 5.0, "r": 30.0, "good": 0.0, "bad": 100.0}
    found, _ = read("{id: x, fault: clock.jump, target: db, offsets: [1h, -90s], every: 1s}")
    assert found.parameters["offsets"] == (Duration(3600 * 10**9), Duration(-90 * 10**9))
    found, _ = read("{id: x, fault: filesystem.corrupt, target: db, path: /f, bytes: 4, offset: 0}")
    assert (found.parameters["bytes"], found.parameters["offset"]) == (Size(4), Size(0))
    found, _ = read("{id: x, fault: process.signal, target: db, match: w, signal: SIGSTOP, count: 2}")
    assert (found.parameters["signal"], found.parameters["count"]) == ("STOP", 2)


def test_a_custom_fault_is_three_commands_and_may_have_no_proof():
    steps = "inject: {service: a, command: b}, revert: {service: a, command: [c]}"
    found, log = read(f"{{id: x, fault: custom, {steps}, verify: {{service: a, command: d}}}}")
    assert not log.found
    assert found.verify
    assert found.parameters["verify"] == ExecAction(service="a", command=("sh", "-c", "d"))
    found, log = read(f"{{id: x, fault: custom, {steps}, verify: false, verify_reason: none}}")
    assert not log.found
    assert not found.verify
    assert set(found.parameters) == {"inject", "revert"}


def test_values_of_a_sweep_become_those_of_the_parameter():
    assert value_of("network.latency", "delay", "100ms") == Duration(10**8)
    assert value_of("network.partition", "one_way", True) is True  # noqa: FBT003
    assert value_of("resource.memory_limit", "memory", 64) == Size(64)


@pytest.mark.parametrize("kind", FAULTS)
def test_every_record_is_documented(kind):
    record = RECORDS[kind]
    assert isinstance(record, Record)
    assert record.place == f"the fault {kind}"
    assert record.doc.endswith(".")
    for name, key in record.keys.items():
        assert re.search(r"[.;)]$|\.$", key.doc), (name, key.doc)
        assert key.example or key.shape.example or key.default, name


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["db", "2s", "manual", "network.loss", "5%", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["id", "fault", "target", "at", "for", "percent", "any_of", "count", "when", "parameters"]),
        inner,
        max_size=5,
    ),
    max_leaves=12,
), st.sampled_from(list(FAULTS)))  # fmt: skip
def test_no_structure_breaks_the_reader(value, kind):
    entry = {**value, "fault": kind} if isinstance(value, dict) else {"id": value, "fault": kind}
    found, log = read(json.dumps(entry))
    assert found is not None or log.found

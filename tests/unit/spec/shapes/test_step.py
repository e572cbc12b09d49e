from __future__ import annotations

import pytest

from cleanroom.quantity import Duration
from cleanroom.spec.capture import Capture
from cleanroom.spec.comparator import Comparator, equal_to
from cleanroom.spec.probe import Probe, TcpProbe
from cleanroom.spec.query import ExecAction, HttpAction, SessionExpect, SessionStep, SqlAction, SqlSession
from cleanroom.spec.retry import Retry
from cleanroom.spec.shapes.step import step
from cleanroom.spec.step import (
    ACTIONS,
    HealAction,
    InjectAction,
    ParallelAction,
    RunAction,
    SleepAction,
    SnapshotAction,
    Step,
    StepExpect,
    WaitForAction,
)
from tests.unit.spec.shapes.reading import accepted, deferred, read

S = 10**9
ASK = Probe(question=TcpProbe(service="a", port=1))


def act(source):
    return accepted(step, f"{{name: x, {source}}}")


@pytest.mark.parametrize(
    ("source", "action"),
    [
        ("exec: {service: a, command: [b]}", ExecAction(service="a", command=("b",))),
        ("run: {image: i}", RunAction(image="i")),
        (
            "run: {service: a, command: [b], env: {C: 1}}",
            RunAction(service="a", command=("b",), env={"C": "1"}),
        ),
        ("http: {service: a}", HttpAction(service="a")),
        ("sql: {service: a, query: q}", SqlAction(service="a", query="q")),
        ("sleep: 2s", SleepAction(duration=Duration(2 * S))),
        ("wait_for: {tcp: {service: a, port: 1}}", WaitForAction(probe=ASK)),
        (
            "wait_for: {tcp: {service: a, port: 1}, timeout: 9s, interval: 1s, tolerance: true}",
            WaitForAction(
                probe=Probe(
                    question=ASK.question,
                    interval=Duration(S),
                    tolerance=equal_to(True),  # noqa: FBT003 -- the value
                ),
                timeout=Duration(9 * S),
            ),
        ),
        ("inject: f", InjectAction(fault="f")),
        ("heal: f", HealAction(fault="f")),
        ("snapshot: {id: s, of: {tcp: {service: a, port: 1}}}", SnapshotAction(id="s", of=ASK)),
        (
            "parallel: [{name: a, sleep: 1s}, {name: b, inject: f}]",
            ParallelAction(
                steps=(
                    Step(name="a", action=SleepAction(duration=Duration(S))),
                    Step(name="b", action=InjectAction(fault="f")),
                )
            ),
        ),
    ],
)
def test_each_action_has_its_place_in_the_model(source, action):
    assert act(source) == Step(name="x", action=action)
    assert ACTIONS[type(action)] == source.split(":")[0]


def test_the_common_keys_have_their_place_in_the_model():
    source = (
        "exec: {service: a, command: [b]}, timeout: 3s, grace: 0, allow: [timeout, 'sql:40001'], optional: true, "
        "continue_on_failure: true, "
        "retry: {attempts: 3, initial: 1s, factor: 3, max: 5s, jitter: 0.5, on: [timeout, tls]}, "
        "capture: {id: {json: 'a.b[0]'}, n: {regex: 'n=(.)'}}, expect: {exit_code: 0}"
    )
    assert act(source) == Step(
        name="x",
        action=ExecAction(service="a", command=("b",)),
        timeout=Duration(3 * S),
        grace=Duration(0),
        allow=("timeout", "sql:40001"),
        optional=True,
        continue_on_failure=True,
        retry=Retry(
            attempts=3, initial=Duration(S), factor=3.0, max=Duration(5 * S), jitter=0.5, on=("timeout", "tls")
        ),
        capture=(Capture(name="id", by="json", source="a.b[0]"), Capture(name="n", by="regex", source="n=(.)")),
        expect=StepExpect(exit_code=equal_to(0)),
    )


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("exec: {service: a, command: [b]}", {"exit_code": 3, "stdout": "a", "stderr": ""}),
        ("http: {service: a}", {"status": 201, "body": "x"}),
        ("redis: {service: a, command: [b]}", {"body": "x"}),
        ("sleep: 1s", {"error_type": "timeout"}),
    ],
)
def test_expect_judges_what_the_action_has(source, expected):
    written = ", ".join(
        f'{key}: "{value}"' if isinstance(value, str) else f"{key}: {value}" for key, value in expected.items()
    )
    wanted = StepExpect(**{key: equal_to(value) for key, value in expected.items()})
    assert act(f"{source}, expect: {{{written}}}").expect == wanted


def test_expect_judges_headers_and_json_by_key_and_durations():
    found = act(
        "http: {service: a}, expect: {headers: {A-b: c}, json: {'a[0].b': 1, $: {type: object}}, duration: {lt: 1s}}"
    )
    assert found.expect == StepExpect(
        headers={"A-b": equal_to("c")},
        json={"a[0].b": equal_to(1), "$": Comparator(tests=(("type", "object"),))},
        duration=Comparator(tests=(("lt", Duration(S)),)),
    )


@pytest.mark.parametrize(
    ("rows", "tests"),
    [
        ("2", (("length", equal_to(2)),)),
        ("{length: {gte: 1}}", (("length", Comparator(tests=(("gte", 1),))),)),
        ("{eq: [{id: 1}]}", (("eq", ({"id": 1},)),)),
    ],
)
def test_rows_are_a_number_or_a_comparator_of_the_list(rows, tests):
    assert act(f"sql: {{service: a, query: q}}, expect: {{rows: {rows}}}").expect.rows == Comparator(tests=tests)


def test_sessions_interleave_by_barriers_and_by_each_others_statements():
    source = (
        "sql: {service: a, sessions: [{name: r, isolation: repeatable read, steps: [{sql: s1, barrier: b}, "
        "{sql: s2, after: {session: w, step: 1}, expect: {rows: 0, error_type: 'sql:40001', duration: {gte: 1s}}}]}, "
        "{name: w, steps: [{sql: s3, barrier: b}]}]}"
    )
    assert act(source).action == SqlAction(
        service="a",
        sessions=(
            SqlSession(
                name="r",
                isolation="repeatable read",
                steps=(
                    SessionStep(sql="s1", barrier="b"),
                    SessionStep(
                        sql="s2",
                        after_session="w",
                        after_step=1,
                        expect=SessionExpect(
                            rows=Comparator(tests=(("length", equal_to(0)),)),
                            error_type=equal_to("sql:40001"),
                            duration=Comparator(tests=(("gte", Duration(S)),)),
                        ),
                    ),
                ),
            ),
            SqlSession(name="w", steps=(SessionStep(sql="s3", barrier="b"),)),
        ),
    )


AFTER_Q = "{name: p, steps: [{sql: s, after: {session: q, step: 1}}]}"
BARRIERS = "{name: p, steps: [{sql: s, barrier: a}, {sql: s, barrier: b}]}"
SESSIONS = "{{name: x, sql: {{service: a, sessions: [{}]}}}}"


@pytest.mark.parametrize(
    ("sessions", "found"),
    [
        ("{name: p, steps: [{sql: s}]}, {name: p, steps: [{sql: s}]}", ("duplicate-session", 2, 71)),
        ("{name: p, steps: [{sql: s, barrier: b}]}", ("impossible", 2, 77)),
        ("{name: p, steps: [{sql: s, after: {session: q, step: 1}}]}", ("unknown-session", 2, 85)),
        ("{name: p, steps: [{sql: s, after: {session: p, step: 1}}]}", ("unknown-session", 2, 85)),
        (
            "{name: p, steps: [{sql: s, after: {session: q, step: 2}}]}, {name: q, steps: [{sql: s}]}",
            ("impossible", 2, 94),
        ),
        (
            f"{AFTER_Q}, {{name: q, steps: [{{sql: s, after: {{session: p, step: 1}}}}]}}",
            ("impossible", 2, 30),
        ),
        (
            f"{BARRIERS}, {{name: q, steps: [{{sql: s, barrier: b}}, {{sql: s, barrier: a}}]}}",
            ("impossible", 2, 30),
        ),
        ("{name: p, isolation: snapshot, steps: [{sql: s}]}", ("wrong-value", 2, 62)),
        ("{name: p, steps: []}", ("empty-list", 2, 58)),
        ("{name: p, steps: [{barrier: b}]}", ("missing-key", 2, 59)),
        ("{name: p, steps: [{sql: s, expect: {rows: {gt: 1}}}]}", ("impossible", 2, 84)),
    ],
)
def test_sessions_that_cannot_come_to_their_end_are_refused(sessions, found):
    assert read(step, SESSIONS.format(sessions)).found == [found]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("{name: x}", ("one-of", 2, 2)),
        ("{name: x, sleep: 1s, inject: f}", ("one-of", 2, 23)),
        ("{sleep: 1s}", ("missing-key", 2, 2)),
        ("{name: x, run: {command: a}}", ("one-of", 2, 17)),
        ("{name: x, run: {image: a, service: b}}", ("one-of", 2, 28)),
        ("{name: x, wait_for: {timeout: 1s}}", ("one-of", 2, 22)),
        ("{name: x, wait_for: {tcp: {service: a, port: 1}, optional: true}}", ("unknown-key", 2, 51)),
        ("{name: x, wait_for: {tcp: {service: a, port: 1}, timeout: 31s}}", ("contradiction", 2, 12)),
        ("{name: x, timeout: 1s, wait_for: {tcp: {service: a, port: 1}, timeout: 2s}}", ("contradiction", 2, 12)),
        ("{name: x, snapshot: {id: s}}", ("missing-key", 2, 22)),
        ("{name: x, parallel: []}", ("empty-list", 2, 22)),
        ("{name: x, parallel: [{name: y, parallel: []}]}", ("one-of", 2, 23)),
        ("{name: x, sleep: 1s, grace: 1s}", ("contradiction", 2, 23)),
        ("{name: x, http: {service: a}, grace: 1s}", ("contradiction", 2, 32)),
        ("{name: x, sleep: 1s, retry: {attempts: 2}}", ("contradiction", 2, 23)),
        ("{name: x, sleep: 1s, capture: {a: {json: a}}}", ("contradiction", 2, 23)),
        ("{name: x, exec: {service: a, command: b}, capture: {a: {header: a}}}", ("impossible", 2, 54)),
        ("{name: x, http: {service: a}, capture: {a-b: {header: a}}}", ("wrong-value", 2, 42)),
        ("{name: x, http: {service: a}, capture: {}}", ("empty-list", 2, 41)),
        ("{name: x, http: {service: a}, capture: {a: {json: 'a['}}}", ("wrong-value", 2, 52)),
        ("{name: x, http: {service: a}, capture: {a: {json: b, regex: c}}}", ("one-of", 2, 55)),
        ("{name: x, http: {service: a}, retry: {attempts: 1}}", ("wrong-value", 2, 50)),
        ("{name: x, http: {service: a}, retry: {}}", ("missing-key", 2, 39)),
        ("{name: x, http: {service: a}, retry: {attempts: 2, max: 1ms}}", ("contradiction", 2, 53)),
        ("{name: x, http: {service: a}, retry: {attempts: 2, on: [tmeout]}}", ("wrong-value", 2, 58)),
        ("{name: x, http: {service: a}, retry: {attempts: 2, on: [tls, tls]}}", ("duplicate-error-type", 2, 63)),
        ("{name: x, http: {service: a}, retry: {attempts: 2, jitter: 2}}", ("wrong-value", 2, 61)),
        ("{name: x, http: {service: a}, allow: []}", ("empty-list", 2, 39)),
        ("{name: x, http: {service: a}, allow: ['sql:x']}", ("wrong-value", 2, 40)),
        ("{name: x, http: {service: a}, expect: {}}", ("empty-expect", 2, 40)),
        ("{name: x, http: {service: a}, expect: {exit_code: 0}}", ("impossible", 2, 41)),
        ("{name: x, exec: {service: a, command: b}, expect: {json: {a: 1}}}", ("impossible", 2, 53)),
        ("{name: x, sql: {service: a, query: b}, expect: {status: 1}}", ("impossible", 2, 50)),
        ("{name: x, http: {service: a}, expect: {rows: 1}}", ("impossible", 2, 41)),
        ("{name: x, sleep: 1s, expect: {stdout: a}}", ("impossible", 2, 32)),
        ("{name: x, http: {service: a}, expect: {json: {'a[': 1}}}", ("wrong-value", 2, 48)),
        ("{name: x, http: {service: a}, expect: {headers: {'a b': 1}}}", ("wrong-value", 2, 51)),
        ("{name: x, http: {service: a}, expect: {error_type: tmeout}}", ("wrong-value", 2, 53)),
        ("{name: x, http: {service: a}, expect: {error_type: {in: [tls, x]}}}", ("wrong-value", 2, 64)),
        ("{name: x, http: {service: a}, expect: {error_type: {ne: x}}}", ("wrong-value", 2, 58)),
        ("{name: x, sql: {service: a, query: b}, expect: {rows: {gte: 1}}}", ("impossible", 2, 57)),
        ("{name: x, sql: {service: a, query: b}, expect: {rows: -1}}", ("wrong-value", 2, 56)),
    ],
)
def test_a_step_that_does_not_fit_is_refused_where_it_stands(source, found):
    assert found in read(step, source).found


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("exec: {service: a, command: b}, grace: 1s, expect: {exit_code: 0}, allow: [timeout]", []),
        ("http: {service: a}, timeout: 1s, expect: {status: 200}, optional: true, continue_on_failure: true", []),
        ("sleep: 1s", []),
        ("run: {image: a}", []),
        ("sql: {service: a, query: b}, expect: {rows: 1}, allow: ['sql:40001']", []),
        ("redis: {service: a, command: [b]}, allow: [redis]", []),
        ("wait_for: {tcp: {service: a, port: 1}}", []),
        ("snapshot: {id: a, of: {tcp: {service: a, port: 1}}}", []),
        ("parallel: [{name: b, sleep: 1s}]", []),
        ("workload: {operations: 1, mix: [{step: {name: b, http: {service: a}}}]}", []),
        ("http: {service: a}, retry: {attempts: 2}", []),
        ("http: {service: a}, capture: {a: {json: b}}", []),
    ],
)
def test_run_refuses_what_it_cannot_carry_out(source, found):
    assert [words for _, words in deferred(step, f"{{name: x, {source}}}")] == found


def test_what_is_captured_may_stand_in_a_step_and_in_its_expectation():
    source = "{name: x, http: {service: a, path: '/{{ captured }}'}, expect: {body: {eq: '{{ captured }}'}}}"
    assert not read(step, source).problems


def test_what_a_worker_knows_may_not_stand_in_a_step():
    assert read(step, "{name: x, http: {service: a, body: '{{ worker }}'}}").codes == ["out-of-place-name"]


def test_names_of_services_must_be_known_before_the_run():
    assert read(step, "{name: x, http: {service: '{{ captured }}'}}").codes == ["known-too-late"]


def test_a_step_walks_through_those_inside_of_it():
    found = act(
        "parallel: [{name: a, sleep: 1s}, "
        "{name: b, workload: {operations: 1, mix: [{step: {name: c, http: {service: s}}}]}}]"
    )
    assert [one.name for one in found.walk()] == ["x", "a", "b", "c"]

from __future__ import annotations

import pytest

from cleanroom.spec.load import load_suite
from cleanroom.spec.suite import Suite

HEAD = """cleanroom: 1
services:
  db: {image: "postgres:17", replicas: 2}
  api: {image: "api:1"}
scenarios:
  - name: one
"""


@pytest.fixture
def problems(tmp_path):
    def go(rest):
        (tmp_path / "x.cleanroom.yaml").write_text(HEAD + rest, encoding="utf-8")
        (tmp_path / "q.sql").write_text("select 1", encoding="utf-8")
        loaded = load_suite(tmp_path / "x.cleanroom.yaml", root=tmp_path, variables={}, environment={})
        return [] if isinstance(loaded, Suite) else [(p.code, p.at.line, p.at.column) for p in loaded]

    return go


STEP = "    steps:\n      - {{name: a, {}}}\n"


@pytest.mark.parametrize(
    ("step", "found"),
    [
        ("exec: {service: dbb, command: x}", ("unknown-service", 8, 35)),
        ("run: {service: dbb}", ("unknown-service", 8, 34)),
        ("http: {service: dbb}", ("unknown-service", 8, 35)),
        ("sql: {service: dbb, query: x}", ("unknown-service", 8, 34)),
        ("redis: {service: dbb, command: [x]}", ("unknown-service", 8, 36)),
        ("wait_for: {log: {service: dbb, matches: x}}", ("unknown-service", 8, 45)),
        ("snapshot: {id: s, of: {file: {service: dbb, path: /x, exists: true}}}", ("unknown-service", 8, 58)),
        ("parallel: [{name: b, http: {service: dbb}}]", ("unknown-service", 8, 56)),
        (
            "workload: {operations: 1, mix: [{step: {name: b, http: {service: dbb}}}]}",
            ("unknown-service", 8, 84),
        ),
        ("parallel: [{name: a, sleep: 1s}]", ("duplicate-step", 8, 37)),
        ("sql: {service: db, file: no.sql}", ("missing-path", 8, 44)),
        ("sql: {service: db, file: ../no.sql}", ("outside", 8, 44)),
        ("inject: slow", ("unknown-fault", 8, 27)),
        ("heal: slow", ("unknown-fault", 8, 25)),
    ],
)
def test_what_a_step_names_must_be_declared(problems, step, found):
    assert problems(STEP.format(step)) == [found]


@pytest.mark.parametrize(
    "step", ["exec: {service: db-2, command: x}", "http: {service: api}", "sql: {service: db, file: q.sql}"]
)
def test_services_their_replicas_and_files_that_exist_are_known(problems, step):
    assert not problems(STEP.format(step))


def test_probes_of_a_steady_state_ask_declared_services(problems):
    steady = "    steady_state: {probes: [{tcp: {service: dbb, port: 1}}]}\n"
    assert problems(steady + STEP.format("sleep: 1s")) == [("unknown-service", 7, 45)]


def test_snapshots_and_journals_have_one_name_each(problems):
    snapshot = "snapshot: {id: s, of: {tcp: {service: db, port: 1}}}"
    mix = "mix: [{step: {name: %s, http: {service: api}}}]"
    assert problems(
        "    steps:\n"
        f"      - {{name: a, {snapshot}}}\n"
        f"      - {{name: b, {snapshot}}}\n"
        f"      - {{name: c, workload: {{operations: 1, journal: d, {mix % 'e'}}}}}\n"
        f"      - {{name: d, workload: {{operations: 1, {mix % 'f'}}}}}\n"
    ) == [("duplicate-snapshot", 9, 34), ("duplicate-journal", 11, 16)]


CHAOS = "    chaos: [{id: f, fault: container.kill, target: db, at: manual}]\n    expect: {outcome: passed}\n"


@pytest.mark.parametrize(
    ("steps", "found"),
    [
        (["inject: f", "heal: f"], []),
        (["heal: f", "inject: f"], [("impossible", 8, 26)]),
        (["parallel: [{name: p, inject: f}]", "heal: f"], []),
        (["parallel: [{name: p, inject: f}, {name: q, heal: f}]"], [("impossible", 8, 69)]),
    ],
)
def test_a_fault_is_healed_only_after_its_injection(problems, steps, found):
    written = "".join(f"      - {{name: s{number}, {step}}}\n" for number, step in enumerate(steps))
    assert problems(f"    steps:\n{written}{CHAOS}") == found


GET = "http: {service: api"
KEEP = "capture: {id: {json: id}}"


@pytest.mark.parametrize(
    ("steps", "found"),
    [
        ([f"{GET}}}, {KEEP}", f"{GET}, path: '/{{{{ captured.id }}}}'}}"], []),
        ([f"{GET}}}, {KEEP}", f"{GET}, path: '/{{{{ captured[\"id\"] }}}}'}}"], []),
        ([f"{GET}}}, {KEEP}, expect: {{body: {{contains: '{{{{ captured.id }}}}'}}}}"], []),
        ([f"{GET}, path: '/{{{{ captured.id }}}}'}}, {KEEP}"], [("unknown-name", 8, 47)]),
        ([f"{GET}}}, {KEEP}", f"{GET}, path: '/{{{{ captured.ident }}}}'}}"], [("unknown-name", 9, 47)]),
        ([f"{GET}, path: '/{{{{ captured.id }}}}'}}", f"{GET}}}, {KEEP}"], [("unknown-name", 8, 47)]),
        (
            [f"parallel: [{{name: p, {GET}}}, {KEEP}}}]", f"{GET}, json: [{{a: '{{{{ captured.id }}}}'}}]}}"],
            [],
        ),
        (
            [f"parallel: [{{name: p, {GET}}}, {KEEP}}}, {{name: q, {GET}, body: '{{{{ captured.id }}}}'}}}}]"],
            [("unknown-name", 8, 128)],
        ),
        (
            [
                "workload: {operations: 1, vars: {n: integer}, mix: [{step: {name: w, "
                + GET
                + ", body: '{{ operation.n }} {{ operation.number }} {{ worker }}'}}}]}"
            ],
            [],
        ),
        (
            [
                "workload: {operations: 1, vars: {n: integer}, mix: [{step: {name: w, "
                + GET
                + ", body: '{{ operation.m }}'}}}]}"
            ],
            [("unknown-name", 8, 116)],
        ),
    ],
)
def test_what_a_template_uses_has_been_captured_or_drawn_before(problems, steps, found):
    written = "".join(f"      - {{name: s{number}, {step}}}\n" for number, step in enumerate(steps))
    assert problems(f"    steps:\n{written}") == found


def test_examples_have_the_names_that_the_property_gives(problems):
    given = "    property: {given: {amount: integer}}\n"
    assert not problems(given + STEP.format("http: {service: api, body: '{{ example.amount }}'}"))
    assert problems(given + STEP.format("http: {service: api, body: '{{ example.amuont }}'}")) == [
        ("unknown-name", 9, 46)
    ]

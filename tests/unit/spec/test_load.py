from __future__ import annotations

import os
import subprocess
import sys

import pytest

from cleanroom.errors import UsageError
from cleanroom.quantity import Duration
from cleanroom.spec.fault import AtManual, AtOffset, AtStep
from cleanroom.spec.load import discover, load_spec, load_suite, render_problems
from cleanroom.spec.suite import Suite

MINIMAL = """\
cleanroom: 1
services:
  db: {image: "postgres:17"}
scenarios:
  - name: one
    steps:
      - {name: look, exec: {service: db, command: "true"}}
      - {name: wait, sleep: 1s}
"""
CHAOS = "    expect: {outcome: passed}\n    chaos:\n"


@pytest.fixture
def load(tmp_path):
    def go(source, *, name="x.cleanroom.yaml", **options):
        path = tmp_path / name
        path.write_text(source, encoding="utf-8")
        return load_suite(path, root=tmp_path, **{"variables": {}, "environment": {}, **options})

    return go


def codes(problems):
    assert isinstance(problems, tuple), "the file loaded"
    return [problem.code for problem in problems]


def test_a_suite_is_named_after_its_file_unless_it_names_itself(load):
    assert load(MINIMAL, name="orders.cleanroom.yaml").name == "orders"
    assert load(MINIMAL + "meta: {name: checkout}\n").name == "checkout"


def test_defaults_are_those_of_the_language(load):
    suite = load(MINIMAL)
    assert isinstance(suite, Suite)
    assert (suite.determinism.iterations, suite.determinism.seed, suite.environment) == (5, None, "scenario")
    step = suite.scenarios[0].steps[0]
    assert (step.timeout, step.grace, step.action.command) == (
        Duration(30 * 10**9),
        Duration(2 * 10**9),
        ("sh", "-c", "true"),
    )


def test_a_random_seed_is_left_to_the_caller(load):
    determinism = load(MINIMAL + "determinism: {seed: random}\n").determinism
    assert (determinism.seed, determinism.random_seed) == (None, True)


def test_faults_carry_their_defaults(load):
    source = MINIMAL.replace("sleep: 1s", "inject: c") + CHAOS
    source += "      - {id: a, fault: container.kill, target: db}\n"
    source += "      - {id: b, fault: network.latency, target: db, delay: 5ms, at: {during_step: look}}\n"
    source += "      - {id: c, fault: container.kill, target: db, at: manual, signal: SIGTERM, revive: none}\n"
    kill, latency, manual = load(source).scenarios[0].chaos
    assert dict(kill.parameters) == {"signal": "KILL", "revive": "default"}
    assert kill.moment == AtOffset(offset=Duration(0))
    assert dict(latency.parameters) == {
        "delay": Duration(5 * 10**6), "jitter": Duration(0), "distribution": "uniform", "correlation": 0.0,
    }  # fmt: skip
    assert latency.moment == AtStep(moment="during", step="look", offset=Duration(0))
    assert dict(manual.parameters) == {"signal": "TERM", "revive": "none"}
    assert manual.moment == AtManual()


def test_a_build_context_is_relative_to_the_spec_and_kept_relative_to_the_workspace(tmp_path):
    (tmp_path / "app" / "db").mkdir(parents=True)
    (tmp_path / "app" / "db" / "Dockerfile").write_text("FROM scratch\n", encoding="utf-8")
    path = tmp_path / "app" / "x.cleanroom.yaml"
    path.write_text(MINIMAL.replace('image: "postgres:17"', "build: {context: ./db}"), encoding="utf-8")
    suite = load_suite(path, root=tmp_path, variables={}, environment={})
    assert suite.services[0].build.context == "app/db"
    assert suite.file == "app/x.cleanroom.yaml"


def test_a_build_context_cannot_leave_the_workspace_through_a_link(load, tmp_path_factory, tmp_path):
    outside = tmp_path_factory.mktemp("outside")
    (outside / "Dockerfile").write_text("FROM scratch\n", encoding="utf-8")
    (tmp_path / "db").symlink_to(outside)
    assert codes(load(MINIMAL.replace('image: "postgres:17"', "build: {context: db}"))) == ["outside"]
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "Dockerfile").symlink_to(outside / "Dockerfile")
    assert codes(load(MINIMAL.replace('image: "postgres:17"', "build: {context: own}"))) == ["outside"]


def test_a_broken_declaration_is_not_missed_by_those_who_refer_to_it(load):
    source = MINIMAL.replace('{image: "postgres:17"}', "{imge: x}")
    assert codes(load(source)) == ["one-of", "unknown-key"]


def test_a_whole_file_template_is_a_suite_named_after_its_file(load):
    source = "{% from 'cleanroom.j2' import span, lifecycle, edges, window, count, attributes %}\n" + MINIMAL
    source += """\
expect:
  spans:
    - {{ span("GET /orders*", service="db", count=1) }}
    - {{ count("db.query", 1, 20) }}
    - {{ attributes("GET*", all={"http.response.status_code": {"lt": 500}}, forbid=["password"]) }}
  graph: {edges: {{ edges("web", "api", "db.insert") }}}
  windows:
    - {{ window("cleanroom.iteration", "cleanroom.cleanup", max_duration="30s") }}
"""
    suite = load(source, name="orders.cleanroom.yaml.j2")
    assert isinstance(suite, Suite), render_problems(suite)
    assert suite.name == "orders"
    assert len(suite.expect.spans) == 3
    lifecycle = source.split("expect:")[0] + 'expect: {spans: [{{ lifecycle("db") }}]}\n'
    assert len(load(lifecycle, name="b.cleanroom.yaml.j2").expect.spans) == 2


def test_a_matrix_makes_a_suite_of_each_combination(tmp_path):
    source = MINIMAL.replace("postgres:17", "postgres:{{ matrix.postgres }}")
    source += "meta: {name: shop}\nmatrix: {postgres: ['15', '17'], region: [eu]}\n"
    (tmp_path / "x.cleanroom.yaml").write_text(source, encoding="utf-8")
    given = {"root": tmp_path, "variables": {}, "environment": {}}
    loaded = load_spec(tmp_path / "x.cleanroom.yaml", **given)
    assert loaded.problems == ()
    assert [(s.name, dict(s.instance), s.services[0].image) for s in loaded.suites] == [
        ("shop (postgres=15, region=eu)", {"postgres": "15", "region": "eu"}, "postgres:15"),
        ("shop (postgres=17, region=eu)", {"postgres": "17", "region": "eu"}, "postgres:17"),
    ]
    with pytest.raises(UsageError, match="2 suites"):
        load_suite(tmp_path / "x.cleanroom.yaml", **given)


def test_problems_of_instances_are_told_once_and_name_those_they_are_in(load):
    source = MINIMAL + "colour: red\nmatrix: {n: [1, 200, 300]}\ndeterminism: {iterations: '{{ matrix.n }}'}\n"
    problems = load(source)
    assert [(p.code, p.at.line) for p in problems] == [("unknown-key", 9), ("wrong-value", 11)]
    assert problems[0].message == 'there is no key "colour"'
    assert problems[1].message.endswith("(in n=200 and 1 other instance)")


def test_a_matrix_may_use_what_was_given_and_variables_that_do_not_use_it(load):
    source = MINIMAL + "vars: {v: '17', w: 'w{{ matrix.n }}'}\nmatrix: {n: ['{{ vars.v }}']}\n"
    suite = load(source + "meta: {description: '{{ vars.w }}'}\n")
    assert (suite.name, suite.description) == ("x (n=17)", "w17")
    assert codes(load(source.replace("{{ vars.v }}", "{{ vars.w }}"))) == ["unknown-variable"]
    assert codes(load(source.replace("{{ vars.v }}", "{{ captured.x }}"))) == ["known-too-late"]


def test_those_who_use_a_broken_matrix_are_not_blamed(load):
    source = MINIMAL + "matrix: {n: [], m: [1, 1]}\nmeta: {description: '{{ matrix.n }}'}\n"
    assert codes(load(source)) == ["empty-list"]


def test_matrix_values_keep_their_type_in_templates(load):
    suite = load(MINIMAL + "matrix: {n: [7]}\ndeterminism: {iterations: '{{ matrix.n }}'}\n")
    assert suite.determinism.iterations == 7


def test_what_run_cannot_carry_out_is_no_problem_and_is_known(load):
    suite = load(MINIMAL + "limits: {containers: 3}\n")
    assert [(p.code, p.at.line) for p in suite.unavailable] == [("not-available", 9)]
    assert load(MINIMAL).unavailable == ()


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "x.cleanroom.yaml")
    found = load_suite(tmp_path / "x.cleanroom.yaml", root=tmp_path, variables={}, environment={})
    assert codes(found) == ["unreadable"]


def test_a_file_that_cannot_be_read_is_a_problem_not_an_exception(tmp_path):
    found = load_suite(tmp_path / "absent.cleanroom.yaml", root=tmp_path, variables={}, environment={})
    assert codes(found) == ["unreadable"]
    (tmp_path / "folder.cleanroom.yaml").mkdir()
    assert codes(load_suite(tmp_path / "folder.cleanroom.yaml", root=tmp_path, variables={}, environment={})) == [
        "unreadable"
    ]


def test_a_spec_outside_the_workspace_is_refused(tmp_path):
    (tmp_path / "inside").mkdir()
    (tmp_path / "x.cleanroom.yaml").write_text(MINIMAL, encoding="utf-8")
    (tmp_path / "inside" / "link.cleanroom.yaml").symlink_to(tmp_path / "x.cleanroom.yaml")
    for name in ("../x.cleanroom.yaml", "link.cleanroom.yaml"):
        path = tmp_path / "inside" / name
        assert codes(load_suite(path, root=tmp_path / "inside", variables={}, environment={})) == ["outside"]


def test_hostile_text_is_shown_and_never_obeyed(load):
    rendered = render_problems(load(MINIMAL + '"\\e[2J\\n::error::x": 1\n'))
    assert "\x1b" not in rendered
    assert "\n::error::" not in rendered


def test_a_flood_of_problems_is_cut_and_says_so(load):
    problems = load(MINIMAL + "".join(f"k{i}: 1\n" for i in range(300)))
    assert len(problems) == 200
    assert render_problems(problems).endswith("200 problems (more are not shown)")


def test_one_problem_reads_well(load):
    assert render_problems(load(MINIMAL + "determinsm: {}\n")) == (
        'x.cleanroom.yaml:9:1: error[unknown-key]: there is no key "determinsm"\n'
        "  9 | determinsm: {}\n"
        "    | ^\n"
        "  expected: cleanroom, cleanup, compose, contracts, determinism, environment, expect, limits, matrix, meta, "
        "network, otel, report, scenarios, services or vars\n"
        "  did you mean determinism?\n"
        "\n"
        "1 problem"
    )


def test_importing_the_loader_imports_no_heavy_package():
    script = (
        "import sys, cleanroom.spec.load\n"
        "heavy = ('ruamel.yaml', 'jinja2', 'docker', 'opentelemetry', 'requests')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_discover_takes_files_folders_and_globs(tmp_path):
    for name in ("a.cleanroom.yaml", "deep/er/b.cleanroom.yml", "deep/c.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    a, b = tmp_path / "a.cleanroom.yaml", tmp_path / "deep" / "er" / "b.cleanroom.yml"
    assert discover(["."], tmp_path) == (a, b)
    assert discover(["deep", "a.cleanroom.yaml", "*.cleanroom.yaml"], tmp_path) == (a, b)
    assert discover(["**/*.yml"], tmp_path) == (b,)
    assert discover([str(a)], tmp_path) == (a,)
    assert discover(["deep/../a.cleanroom.yaml"], tmp_path) == (a,)


@pytest.mark.parametrize(
    "pattern",
    ["nothing", "*.absent", "empty", "../*", "..", "/", "../outside.cleanroom.yaml", "link*", "link.cleanroom.yaml"],
)
def test_discover_refuses_what_matches_nothing_or_leaves_the_workspace(tmp_path, pattern):
    root = tmp_path / "root"
    (root / "empty").mkdir(parents=True)
    (tmp_path / "outside.cleanroom.yaml").touch()
    (root / "link.cleanroom.yaml").symlink_to(tmp_path / "outside.cleanroom.yaml")
    with pytest.raises(UsageError):
        discover([pattern], root)


def test_discover_refuses_no_patterns_at_all(tmp_path):
    with pytest.raises(UsageError):
        discover([], tmp_path)

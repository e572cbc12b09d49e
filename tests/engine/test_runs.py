"""Whole runs: every negative control ends as it must, and the same spec has the same digest on any data root."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from cells import drop_cache
from runs import IMAGE, ROOT, Ran, cleanroom, findings, line_of, owned_by, write

CONTROLS = ROOT / "examples" / "controls"
HELLO = "examples/hello/hello.cleanroom.yaml"
NAMES = ("egress", "prevented-fault", "random-attribute", "silent", "wrong-expectation")

DRAWN = f"""
cleanroom: 1
meta: {{name: drawn}}
services:
  one: {{image: "{IMAGE}", command: [sleep, infinity]}}
  two: {{image: "{IMAGE}", command: [sleep, infinity]}}
  three: {{image: "{IMAGE}", command: [sleep, infinity]}}
scenarios:
  - name: somebody is killed
    steps:
      - {{name: before, exec: {{service: one, command: [echo, before]}}}}
      - {{name: hold, sleep: 2s}}
    chaos:
      - id: crash
        fault: container.kill
        target: {{any_of: [one, two], count: 1}}
        at: {{after_step: before}}
        for: 500ms
      - {{id: perhaps, fault: container.kill, target: three, at: {{after_step: before}}, for: 500ms, probability: 0.5}}
expect: {{hermeticity: {{egress: none, leaks: none}}}}
determinism: {{iterations: 1}}
"""


@pytest.fixture(scope="module")
def controls(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """All controls that a run starts, and `hello` between them, in one run."""
    specs = [str((CONTROLS / f"{name}.cleanroom.yaml").relative_to(ROOT)) for name in NAMES]
    return cleanroom(*specs, HELLO, out=tmp_path_factory.mktemp("controls"))


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A workspace with a spec whose faults differ from seed to seed."""
    folder = tmp_path_factory.mktemp("drawn")
    write(folder, "drawn", DRAWN)
    yield folder
    drop_cache(str(folder))


def only(suite: dict[str, Any], rule: str) -> dict[str, Any]:
    """The finding of a rule, which every iteration has and which is the only error of the suite."""
    found = [finding for finding in findings(suite) if finding["level"] == "error"]
    assert found, f"{suite['name']} has no finding"
    assert {finding["rule"] for finding in found} == {rule}
    return found[0]


def place(finding: dict[str, Any]) -> tuple[str, int]:
    return finding["file"], finding["line"]


def test_a_run_of_many_specs_has_the_exit_code_of_the_worst(controls: Ran):
    assert controls.code == controls.report["exit_code"] == 5, controls.said
    codes = {suite["name"]: suite["exit_code"] for suite in controls.report["suites"]}
    assert codes == {
        "egress": 1, "prevented-fault": 6, "random-attribute": 1, "silent": 5, "wrong-expectation": 1, "hello": 0,
    }  # fmt: skip


def test_nothing_of_the_run_is_left_in_the_outer_engine(controls: Ran, docker_host: str):
    assert controls.report["cleanup"]["created"]["containers"], "nothing was made, so nothing could be left"
    assert not any(controls.report["cleanup"]["left"].values())
    assert owned_by(docker_host, controls.pid) == ()


def test_a_wrong_expectation_is_a_finding_on_its_line(controls: Ran):
    spec = CONTROLS / "wrong-expectation.cleanroom.yaml"
    finding = only(controls.suite("wrong-expectation"), "spans.count")
    assert place(finding) == (str(spec.relative_to(ROOT)), line_of(spec, "- name: GET /hello"))
    assert f"{place(finding)[0]}:{finding['line']}:{finding['column']} spans.count".encode() in controls.stdout
    assert (finding["expected"], finding["found"].partition(":")[0]) == ("number of spans 2", "1 span")


def test_a_random_attribute_is_nondeterminism_named_by_span_path_and_attribute(controls: Ran):
    suite = controls.suite("random-attribute")
    divergence = suite["divergence"]
    assert divergence["path"].endswith("cleanroom.step:greet > GET /hello")
    assert divergence["attribute"] == "attributes.app.lottery"
    assert divergence["left_value"] != divergence["right_value"]
    assert divergence["proposal"] == "drop: [app.lottery]"
    assert only(suite, "determinism.identical")["line"] == line_of(
        CONTROLS / "random-attribute.cleanroom.yaml", "determinism:"
    )
    assert len({i["digests"]["digest"] for i in suite["iterations"]}) == len(suite["iterations"]) == 2


def test_an_attempt_to_get_out_names_who_and_whereto(controls: Ran):
    finding = only(controls.suite("egress"), "hermeticity.egress")
    assert finding["found"] == "service hello tried to reach 203.0.113.10 tcp port 443 (1 time)"
    assert finding["line"] == line_of(CONTROLS / "egress.cleanroom.yaml", "hermeticity:")
    attempts = controls.report["isolation"]["egress"]
    assert [(a["suite"], a["service"], a["destination"], a["port"], a["count"]) for a in attempts] == [
        ("egress", "hello", "203.0.113.10", 443, 2)
    ]


def test_a_service_that_exports_nothing_is_missing_telemetry(controls: Ran):
    suite = controls.suite("silent")
    assert only(suite, "spans.count")["telemetry_missing"]
    steps = [step["outcome"] for i in suite["scenarios"][0]["iterations"] for step in i["steps"]]
    assert steps == ["passed", "passed"], "the service answered, so only its spans were missing"


def test_a_fault_that_is_prevented_is_inconclusive(controls: Ran):
    suite = controls.suite("prevented-fault")
    assert suite["verdict"] == "inconclusive"
    faults = [fault for i in suite["scenarios"][0]["iterations"] for fault in i["faults"]]
    assert len(faults) == 2
    assert not any(fault["verified"] for fault in faults)
    assert [f for f in findings(suite) if f["level"] == "error"] == [], "nothing but the missing evidence is wrong"


def test_hello_passes_beside_them(controls: Ran):
    suite = controls.suite("hello")
    assert suite["verdict"] == "pass"
    digests = {i["digests"]["digest"] for i in suite["iterations"]}
    assert len(suite["iterations"]) == 5
    assert digests == {suite["digest"]}
    assert list(findings(suite)) == []


def test_an_unknown_key_is_refused_at_its_line_before_anything_starts(tmp_path: Path, docker_host: str):
    spec = CONTROLS / "unknown-key.cleanroom.yaml"
    ran = cleanroom(str(spec.relative_to(ROOT)), out=tmp_path)
    assert ran.code == 3, ran.said
    (problem,) = [problem for problem in ran.report["problems"] if problem["code"] == "unknown-key"]
    assert place(problem) == (str(spec.relative_to(ROOT)), line_of(spec, "scenarious:"))
    assert f"unknown-key.cleanroom.yaml:{problem['line']}:1" in ran.said
    assert "scenarios" in problem["suggestion"]
    assert b"phase engine" not in ran.stdout
    assert owned_by(docker_host, ran.pid) == ()


def test_two_data_roots_in_two_kinds_of_cell_give_the_same_digest(controls: Ran, tmp_path: Path):
    own = cleanroom("--engine", "own", "--state-dir", str(tmp_path / "state"), HELLO, out=tmp_path / "out")
    assert own.code == 0, own.said
    assert (controls.report["engine"]["mode"], own.report["engine"]["mode"]) == ("cell", "own")
    assert own.report["engine"]["image_cache"] == "cold", "the image was built anew, on a data root of its own"
    first, second = controls.suite("hello")["iterations"], own.suite("hello")["iterations"]
    assert [i["digests"] for i in first] == [i["digests"] for i in second]


def test_the_seed_and_nothing_else_decides_what_is_drawn(drawn: Path, tmp_path: Path):
    runs = {
        name: cleanroom("drawn.cleanroom.yaml", "--seed", seed, *more, out=tmp_path / name, cwd=drawn)
        for name, seed, more in (("cached", "1", ()), ("fresh", "1", ("--image-cache", "off")), ("other", "3", ()))
    }
    assert [ran.code for ran in runs.values()] == [0, 0, 0], "\n".join(ran.said for ran in runs.values())
    cached, fresh, other = (ran.report for ran in runs.values())
    assert (cached["engine"]["image_cache"], fresh["engine"]["image_cache"]) == ("cold", "off")
    assert cached["schedule_digest"] == fresh["schedule_digest"]
    assert cached["digest"] == fresh["digest"]
    assert struck(cached) == struck(fresh)
    assert other["schedule_digest"] != cached["schedule_digest"]
    assert struck(other) != struck(cached), "another digest, because other things happened"


def struck(report: dict[str, Any]) -> list[tuple[str, str]]:
    """What really happened: the faults that have evidence, and whom they struck."""
    scenario = report["suites"][0]["scenarios"][0]["iterations"][0]
    return [(fault["id"], str(fault["target"])) for fault in scenario["faults"] if fault["verified"]]

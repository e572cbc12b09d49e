"""The action in a workflow: `uses: ./` in a checkout, run by act; outputs, summary and annotations read back."""

from __future__ import annotations

import json
import os
from pathlib import Path

import jsonschema
import pytest
from junitparser import JUnitXml

from cleanroom.action.outputs import OUTPUTS
from tests.e2e.acting import Acted, act
from tests.e2e.checkout import PLACE, ROOT

SCHEMA = json.loads((ROOT / "docs" / "report.schema.json").read_text())
PASSWORD = "hunter2-correct-horse"
TOKEN = "tok-9f1c77d0a6"
UID = 1234
CONTROL = "examples/controls/wrong-expectation.cleanroom.yaml"
UNKNOWN = "examples/controls/unknown-key.cleanroom.yaml"
# The builder's cache looks at owners: root's files, in a folder that belongs to somebody else.
TAKE = f"chown -R 0:0 . && chown {UID}:{UID} ."


def step(name, *, may_fail=False, env=None, **inputs):
    """One step of the workflow; a report folder of its own, so that all can be looked at afterwards."""
    given = {key.replace("_", "-"): value for key, value in inputs.items()}
    given.setdefault("report-dir", f"reports/{name}")
    return {
        "id": name, "name": name, "uses": "./", "with": given, "env": env or {}, "continue-on-error": may_fail,
    }  # fmt: skip


def workflow(token):
    hello = {name.upper().replace("-", "_"): f"${{{{ steps.hello.outputs.{name} }}}}" for name in OUTPUTS}
    steps = [
        {"name": "take", "run": TAKE},
        step("hello", specs="examples/hello/*.cleanroom.yaml", iterations="2"),
        {"name": "back", "env": hello, "run": 'test -s "$JUNIT"; mkdir e2e; env -0 > e2e/outputs'},
        step("unknown", may_fail=True, specs=UNKNOWN),
        step("empty", may_fail=True, specs=CONTROL, tags="nobody-has-this"),
        step("allowed", specs=CONTROL, tags="nobody-has-this", fail_on_empty="false"),
        step(
            "hostile", specs=f"{PLACE}/hostile.cleanroom.yaml", fail_on="never", variables=f"leak={PASSWORD}",
            registry_auth=f"localhost:9=bot:{PASSWORD}",
            env={"ACTIONS_RUNTIME_TOKEN": TOKEN, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": TOKEN, "GITHUB_TOKEN": TOKEN},
        ),
        step("control", specs=CONTROL),
        {
            "name": "collect", "if": "always()", "env": {"STEPS": "${{ toJSON(steps) }}"},
            "run": "printf %s \"$STEPS\" > e2e/steps.json; find reports -printf '%U:%G %p\\n' > e2e/owners"
            f"; chown -R {os.getuid()}:{os.getgid()} .",
        },
    ]  # fmt: skip
    job = {"runs-on": "ubuntu-latest", "steps": steps, "timeout-minutes": 5}
    return {"name": token, "on": "push", "jobs": {"it": job}}


@pytest.fixture(scope="module")
def acted(checkout, token, tmp_path_factory) -> Acted:
    return act(checkout, workflow(token), tmp_path_factory.mktemp("act"), timeout=400)


@pytest.fixture(scope="module")
def steps(acted, checkout):
    """The `steps` context as the job's last step saw it."""
    assert acted.log
    return json.loads((checkout / "e2e" / "steps.json").read_text())


def report(checkout: Path, name: str):
    return json.loads((checkout / "reports" / name / "report.json").read_text())


def line_of(text: str, file: str) -> int:
    return next(n for n, line in enumerate((ROOT / file).read_text().splitlines(), 1) if text in line)


def test_the_smallest_spec_passes_and_the_next_step_reads_every_output(acted, steps, checkout):
    assert steps["hello"]["outcome"] == "success", acted.section("hello")
    raw = (checkout / "e2e" / "outputs").read_text().split("\0")
    seen = dict(entry.partition("=")[::2] for entry in raw)
    read = {name: seen[name.upper().replace("-", "_")] for name in OUTPUTS}
    document = report(checkout, "hello")
    folder = "reports/hello"
    assert read == {
        "conclusion": "pass",
        "passed": str(document["counts"]["passed"]),
        "failed": "0",
        "known": "0",
        "inconclusive": "0",
        "skipped": "0",
        "digest": document["digest"],
        "seed": document["seed"],
        "schedule-digest": document["schedule_digest"],
        "repro": document["repro"],
        "report-dir": folder,
        "junit": f"{folder}/junit.xml",
        "summary": f"{folder}/summary.md",
        "json": f"{folder}/report.json",
    }
    assert int(read["passed"]) > 0
    assert read["digest"].startswith("sha256:")
    assert acted.commands("hello")[0] == "::group::cleanroom run"


def test_the_summary_of_the_job_is_the_one_of_the_report(acted, checkout):
    page = (checkout / "reports" / "hello" / "summary.md").read_text()
    assert page.startswith("## cleanroom: pass")
    assert acted.summary("hello").strip() == page.strip()
    assert acted.summary("control").startswith("## cleanroom: fail")


@pytest.mark.parametrize("name", ["hello", "unknown", "hostile", "control"])
def test_the_report_can_be_read_by_other_tools(name, acted, checkout):
    assert acted.log
    folder = checkout / "reports" / name
    jsonschema.validate(report(checkout, name), SCHEMA)
    cases = [case for suite in JUnitXml.fromfile(str(folder / "junit.xml")) for case in suite]
    broken = [case.name for case in cases if case.result]
    assert cases
    assert bool(broken) == (name != "hello")


def test_all_files_belong_to_the_owner_of_the_workspace(steps, checkout):
    assert steps
    owners = dict(line.split(" ", 1)[::-1] for line in (checkout / "e2e" / "owners").read_text().splitlines())
    assert len(owners) > 30
    assert {"reports", "reports/hello/report.json", "reports/hello/traces"} <= set(owners)
    assert {path: owner for path, owner in owners.items() if owner != f"{UID}:{UID}"} == {}


def test_a_wrong_expectation_fails_the_step_on_its_own_line(acted, steps, checkout):
    assert (steps["control"]["outcome"], steps["control"]["outputs"]["conclusion"]) == ("failure", "fail")
    assert int(steps["control"]["outputs"]["failed"]) > 0
    assert report(checkout, "control")["exit_code"] == 1
    assert acted.code == 1
    assert "exit with `FAILURE`: 1" in acted.log
    line = line_of("- name: GET /hello", CONTROL)
    errors = [command for command in acted.commands("control") if command.startswith("::error ")]
    assert any(command.startswith(f"::error file={CONTROL},line={line},") for command in errors), errors


def test_an_unknown_key_is_annotated_at_its_line_and_named_with_what_was_meant(acted, steps, checkout):
    assert steps["unknown"]["outcome"] == "failure"
    assert steps["unknown"]["outputs"]["conclusion"] == "error"
    assert report(checkout, "unknown")["exit_code"] == 3
    line = line_of("scenarious:", UNKNOWN)
    told = [c for c in acted.commands("unknown") if c.startswith(f"::error file={UNKNOWN},line={line},")]
    assert any("scenarios" in command for command in told), acted.section("unknown")


def test_fail_on_never_passes_the_step_and_hides_nothing(acted, steps):
    assert steps["hostile"]["outcome"] == "success"
    assert steps["hostile"]["outputs"]["conclusion"] == "fail"
    assert any(command.startswith(f"::error file={PLACE}/hostile") for command in acted.commands("hostile"))


def test_an_empty_selection_fails_the_step_unless_that_is_allowed(acted, steps):
    assert steps["empty"]["outcome"] == "failure"
    assert steps["allowed"]["outcome"] == "success"
    assert steps["allowed"]["outputs"]["conclusion"] == "empty"
    assert [command for command in acted.commands("empty") if command.startswith("::error")]
    assert [command for command in acted.commands("allowed") if command.startswith("::error")] == []


def test_what_a_service_says_is_never_obeyed(acted, steps):
    assert steps["hostile"]["outputs"]["conclusion"] == "fail"
    said = acted.section("hostile")
    assert "injected" in said
    commands = acted.commands("hostile")
    names = {command.split("::")[1].split(" ")[0] for command in commands}
    own = {name for name in names if name.startswith("cleanroom-")}
    assert names - own <= {"add-mask", "group", "endgroup", "stop-commands", "error"}, commands
    errors = [command for command in commands if command.startswith("::error")]
    assert errors
    assert all("title=cleanroom" in command for command in errors), errors
    assert [
        c for c in commands if c.startswith("::stop-commands::") and not c.startswith("::stop-commands::cleanroom-")
    ] == []


def test_secrets_are_masked_and_credentials_reach_no_service(acted, checkout):
    body = json.dumps(report(checkout, "hostile"))
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in body + acted.section("hostile"), "the service's environment was not seen"
    files = [file for file in (checkout / "reports" / "hostile").rglob("*") if file.is_file()]
    assert files
    for secret in (PASSWORD, TOKEN):
        assert secret not in acted.log
        assert [file.name for file in files if secret.encode() in file.read_bytes()] == []


def test_every_step_cleans_up_and_its_post_stage_has_nothing_to_do(acted):
    for name in ("hello", "unknown", "allowed", "hostile", "control"):
        assert "the step left nothing behind" in acted.section(name, "Post"), name

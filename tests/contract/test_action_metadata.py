"""action.yml against the code behind it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from cleanroom.action.inputs import INPUTS, read_inputs
from cleanroom.action.outputs import OUTPUTS

ROOT = Path(__file__).parents[2]
METADATA = YAML(typ="safe").load(ROOT / "action.yml")
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def test_the_inputs_are_those_that_the_code_reads():
    assert tuple(METADATA["inputs"]) == INPUTS


def test_the_code_reads_every_input_by_the_name_the_runner_gives_it():
    source = (ROOT / "cleanroom" / "action" / "inputs.py").read_text()
    read = set(re.findall(r'environ, "([a-z-]+)"', source))
    assert read == set(INPUTS)


def test_the_outputs_are_those_that_the_code_writes():
    assert tuple(METADATA["outputs"]) == OUTPUTS


def test_the_defaults_mean_the_same_as_nothing(tmp_path):
    declared = {f"INPUT_{name.upper()}": entry.get("default", "") for name, entry in METADATA["inputs"].items()}
    workspace = {"GITHUB_WORKSPACE": str(tmp_path)}
    assert read_inputs({**workspace, **declared}) == read_inputs(workspace)


def test_every_input_and_output_is_described_and_every_default_is_text():
    entries = [*METADATA["inputs"].items(), *METADATA["outputs"].items()]
    assert [name for name, entry in entries if not entry["description"].strip()] == []
    assert all(isinstance(entry["default"], str) for entry in METADATA["inputs"].values())


def test_both_entry_points_are_executable_and_in_the_image():
    dockerfile = (ROOT / "Dockerfile").read_text()
    allowed = (ROOT / ".dockerignore").read_text().splitlines()
    hashed = (ROOT / "scripts" / "image.sh").read_text()
    for key in ("entrypoint", "post-entrypoint"):
        file = METADATA["runs"][key].removeprefix("/")
        assert (ROOT / file).stat().st_mode & 0o111 == 0o111
        assert (ROOT / file).read_text().startswith("#!/opt/cleanroom/bin/python -I\n")
        assert re.search(rf"^COPY .*\b{re.escape(file)} .*/$", dockerfile, re.MULTILINE)
        assert f"!{file}" in allowed
        assert f" {file} " in hashed


def test_the_image_is_built_from_the_repository_or_pinned_by_digest():
    image = METADATA["runs"]["image"]
    assert image == "Dockerfile" or re.fullmatch(r"docker://\S+@sha256:[0-9a-f]{64}", image)


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_a_workflow_grants_nothing_by_default_pins_what_it_uses_and_ends_in_time(file):
    workflow = YAML(typ="safe").load(file)
    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 60
        assert "permissions" in job
        for step in job["steps"]:
            uses = step.get("uses", "./")
            assert uses == "./" or re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}", uses)
            if uses.startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False


def test_every_workflow_gives_the_action_inputs_that_it_has():
    used = [
        step
        for file in WORKFLOWS
        for job in YAML(typ="safe").load(file)["jobs"].values()
        for step in job["steps"]
        if step.get("uses") == "./"
    ]
    assert len(used) >= 3
    assert all(set(step.get("with", {})) <= set(INPUTS) for step in used)
    assert all(list(ROOT.glob(step["with"]["specs"])) for step in used)

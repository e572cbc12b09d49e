"""The action as the runner starts it, cancels it and cleans up after it."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress

import jsonschema
import pytest
from docker.errors import APIError, NotFound
from junitparser import JUnitXml

from cleanroom.engine.cache import cache_volume
from cleanroom.engine.identity import OWNER_LABEL, RUN_LABEL, decode_owner
from tests.e2e.checkout import PLACE, ROOT, copy_checkout
from tests.e2e.runner import Runner
from tests.unit.action.runner import obeyed

SCHEMA = json.loads((ROOT / "docs" / "report.schema.json").read_text())
SLOW = {"specs": f"{PLACE}/slow.cleanroom.yaml"}
TOKEN = "tok-41f7aa02c9"
SERVICES = {"ACTIONS_RUNTIME_TOKEN": TOKEN, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": TOKEN, "GITHUB_TOKEN": TOKEN}
# The runner gives a cancelled step ten seconds.
BUDGET = 10.0
# The image of the service is built first where no earlier test did that.
SETUP = 240


@pytest.fixture(scope="module")
def runner(tmp_path_factory, repository, api):
    host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    found = Runner(tmp_path_factory.mktemp("_work"), repository, host)
    copy_checkout(found.workspace, repository)
    if os.geteuid() == 0:
        os.chown(found.workspace, 1234, 1234)
    yield found
    found.close()
    for step in found.started:
        with suppress(APIError):
            api.remove_container(step.name, v=True, force=True)


class Running:
    """A step in the middle of a run: its container, its cell, and what these hold."""

    def __init__(self, runner, api, until="ok step greet", **inputs):
        self.api = api
        self.step = runner.start({**SLOW, **inputs}, env=SERVICES)
        self.step.wait_for(until, SETUP)
        self.container = api.inspect_container(self.step.name)["Id"]
        cells = [found for found in api.containers(filters={"label": RUN_LABEL}) if self._ours(found)]
        assert len(cells) == 1
        self.cell = cells[0]["Id"]
        self.run = cells[0]["Labels"][RUN_LABEL]
        mounts = api.inspect_container(self.cell)["Mounts"]
        self.volumes = {m["Name"] for m in mounts if m["Type"] == "volume"} - {cache_volume(runner.repository)}

    def _ours(self, found):
        owner = decode_owner(found["Labels"].get(OWNER_LABEL, ""))
        return owner is not None and owner.container == self.container

    def left(self):
        """What of the run exists in the engine, its image cache apart."""
        chosen = {"label": f"{RUN_LABEL}={self.run}"}
        volumes = [v["Name"] for v in self.api.volumes()["Volumes"] or [] if v["Name"] in self.volumes]
        containers = [c for c in (self.container, self.cell) if self._exists(c)]
        labelled = [c["Id"] for c in self.api.containers(all=True, filters=chosen)]
        return [*containers, *labelled, *self.api.networks(filters=chosen), *volumes]

    def wait_gone(self, since, limit=BUDGET):
        while left := self.left():
            assert time.monotonic() - since < limit, f"{left} after {limit} s:\n{self.step.log}"
            time.sleep(0.1)

    def _exists(self, container):
        try:
            self.api.inspect_container(container)
        except NotFound:
            return False
        return True

    def environments(self):
        """The environment of every process in the cell, and of nothing else."""
        execution = self.api.exec_create(self.cell, ["sh", "-c", "cat /proc/[0-9]*/environ"])
        return self.api.exec_start(execution["Id"])


@pytest.fixture
def running(runner, api):
    return Running(runner, api)


def test_a_cancelled_run_is_gone_with_partial_reports_before_the_runner_kills(runner, running):
    seen = running.environments()
    began = time.monotonic()
    ended_by = running.step.cancel()
    running.wait_gone(began)
    assert ended_by != "SIGKILL"
    assert running.step.client.returncode == 130
    assert running.step.outputs["conclusion"] == "error"
    folder = runner.workspace / running.step.outputs["report-dir"]
    document = json.loads((folder / "report.json").read_text())
    jsonschema.validate(document, SCHEMA)
    assert document["interrupted"] is True
    assert document["exit_code"] == 130
    assert document["cleanup"]["left"] == {"containers": [], "networks": [], "volumes": []}
    assert list(JUnitXml.fromfile(str(folder / "junit.xml")))
    assert running.step.summary.startswith("## cleanroom: ")
    owner = runner.workspace.stat().st_uid
    assert {path.stat().st_uid for path in (folder, *folder.rglob("*"))} == {owner}
    assert "the step left nothing behind" in runner.post(running.step)
    assert b"CLEANROOM_CELL=" in seen
    assert TOKEN.encode() not in seen
    assert b"ACTIONS_" not in seen


@pytest.mark.full
@pytest.mark.parametrize("until", ["phase engine", "Running in", "phase proof", "phase iterations"])
def test_a_run_can_be_cancelled_in_any_phase(until, runner, api):
    running = Running(runner, api, until, **{"image-cache": "off"})
    began = time.monotonic()
    assert running.volumes
    assert running.step.cancel() != "SIGKILL"
    running.wait_gone(began)
    assert running.step.client.returncode == 130
    report = runner.workspace / running.step.outputs["json"]
    assert json.loads(report.read_text())["interrupted"] is True
    assert "the step left nothing behind" in runner.post(running.step)


def test_the_cell_dies_with_the_container_of_the_action(runner, running, api):
    began = time.monotonic()
    api.kill(running.container, "SIGKILL")
    running.wait_gone(began)
    assert running.step.wait(BUDGET) == 137
    assert "the step left nothing behind" in runner.post(running.step)


def test_the_post_stage_removes_what_a_killed_client_left_running(runner, running):
    running.step.client.kill()
    running.step.wait(BUDGET)
    # The control: the runner's client is gone, and all else goes on.
    assert running.container in running.left()
    assert running.cell in running.left()
    began = time.monotonic()
    said = runner.post(running.step)
    assert f"removed what the step had left: {running.step.name}" in said
    running.wait_gone(began)


@pytest.mark.parametrize(
    ("spec", "code", "conclusion"),
    [
        ("examples/controls/unknown-key.cleanroom.yaml", 3, "error"),
        ("examples/controls/wrong-expectation.cleanroom.yaml", 1, "fail"),
        (f"{PLACE}/dies.cleanroom.yaml", 4, "error"),
    ],
)
def test_the_step_ends_with_the_code_of_the_run_and_obeys_no_service(runner, spec, code, conclusion):
    step = runner.start({"specs": spec, "report-dir": f"reports/{code}"}, env=SERVICES)
    assert step.wait(SETUP) == code, step.log
    assert step.outputs["conclusion"] == conclusion
    commands = obeyed(step.log)
    errors = [data for name, data in commands if name == "error"]
    assert {name for name, _ in commands} <= {"group", "endgroup", "stop-commands", "error"}, commands
    assert [data for data in errors if data.strip() in {"injected", ""}] == []
    assert errors
    assert ("injected" in step.log) == (code == 4)
    assert TOKEN not in step.log
    assert "the step left nothing behind" in runner.post(step)

from __future__ import annotations

from dataclasses import replace

import pytest

from cleanroom.engine.cell import (
    CAPABILITIES,
    CellFacts,
    CellSpec,
    cell_environment,
    container_name,
    create_body,
    worker_environment,
)
from cleanroom.engine.identity import OWNER_LABEL, Owner, decode_owner
from cleanroom.errors import UsageError

OWNER = Owner(pid=1, start=2, boot="b", namespace="n")
SPEC = CellSpec(run="0123abcd", image="i", owner=OWNER, labels={"a1b2c3": ""})


def test_the_list_of_capabilities_is_explicit_and_lacks_what_sandboxes_lack():
    host = create_body(SPEC)["HostConfig"]
    assert host["CapDrop"] == ["ALL"]
    assert host["CapAdd"] == list(CAPABILITIES)
    assert "SYS_RESOURCE" not in CAPABILITIES
    assert "SYS_MODULE" not in CAPABILITIES
    assert "Privileged" not in host


def test_the_fallback_is_privileged_and_nothing_else_differs_outside_of_the_host_part():
    body, fallback = create_body(SPEC), create_body(replace(SPEC, privilege="privileged"))
    assert fallback["HostConfig"]["Privileged"] is True
    assert "CapAdd" not in fallback["HostConfig"]
    body.pop("HostConfig"), fallback.pop("HostConfig")
    body.pop("Env"), fallback.pop("Env")
    assert body == fallback


def test_the_cells_input_ends_with_its_launcher_and_the_engine_removes_it():
    body = create_body(SPEC)
    assert body["OpenStdin"]
    assert body["StdinOnce"]
    assert body["AttachStdin"]
    assert body["HostConfig"]["AutoRemove"] is True


def test_nothing_of_the_host_is_mounted_and_no_port_is_published():
    host = create_body(SPEC)["HostConfig"]
    assert [mount["Type"] for mount in host["Mounts"]] == ["volume"]
    assert "Binds" not in host
    assert "PortBindings" not in host
    assert host["PublishAllPorts"] is False


def test_an_anonymous_volume_carries_the_runs_labels_and_a_cache_has_its_name():
    fresh = create_body(SPEC)["HostConfig"]["Mounts"][0]
    assert "Source" not in fresh
    assert fresh["VolumeOptions"]["Labels"]["cleanroom.run"] == SPEC.run
    cached = create_body(replace(SPEC, cache="v"))["HostConfig"]["Mounts"][0]
    assert cached["Source"] == "v"
    assert "VolumeOptions" not in cached


def test_the_owner_and_the_runners_label_are_on_the_cell():
    labels = create_body(SPEC)["Labels"]
    assert decode_owner(labels[OWNER_LABEL]) == OWNER
    assert labels["a1b2c3"] == ""
    assert labels["cleanroom.role"] == "cell"


def test_the_name_of_a_caches_holder_is_the_same_for_every_run():
    one, other = replace(SPEC, cache="v"), replace(SPEC, cache="v", run="ffffffff")
    assert container_name(one) == container_name(other)
    assert container_name(SPEC) != container_name(replace(SPEC, run="ffffffff"))


@pytest.mark.parametrize(
    "name", ["ACTIONS_RUNTIME_TOKEN", "GITHUB_TOKEN", "INPUT_REGISTRY-AUTH", "DOCKER_HOST", "Input_x"]
)
def test_a_variable_of_the_workflow_is_refused(name: str):
    with pytest.raises(UsageError, match="must not reach a cell"):
        worker_environment({"A": "b", name: "x"})


def test_other_variables_pass():
    assert worker_environment({"SEED": "1"}) == {"SEED": "1"}


def test_the_facts_of_a_cell_are_read_back_as_they_were_written():
    facts = CellFacts.from_environment(cell_environment(replace(SPEC, cache="v")))
    assert facts is not None
    assert (facts.kind, facts.run, facts.cache, facts.privilege) == ("container", SPEC.run, "v", "capabilities")
    assert CellFacts.from_environment({}) is None
    assert CellFacts.from_environment({"CLEANROOM_CELL": "moon"}) is None

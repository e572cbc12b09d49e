from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from cleanroom.engine import modes
from cleanroom.engine.modes import Facts, choose_mode, default_state_dir, find_self, gather_facts
from cleanroom.errors import CapabilityError, UsageError

FULL = Facts(in_cell=False, engine_trouble="", linux=True, root=True, dockerd=True, unshare=True)
BARE = replace(FULL, engine_trouble="there is no Docker socket")
NOTHING = replace(BARE, root=False, dockerd=False)


@pytest.mark.parametrize(
    ("requested", "facts", "mode"),
    [
        ("auto", FULL, "cell"),
        ("auto", BARE, "own"),
        ("own", FULL, "own"),
        ("own", BARE, "own"),
        (
            "cell",
            NOTHING.__class__(in_cell=False, engine_trouble="", linux=False, root=False, dockerd=False, unshare=False),
            "cell",
        ),
        ("host", FULL, "host"),
        ("auto", replace(NOTHING, in_cell=True), "inside"),
        ("own", replace(NOTHING, in_cell=True), "inside"),
    ],
)
def test_the_mode_follows_the_request_and_the_facts(requested: str, facts: Facts, mode: str):
    assert choose_mode(requested, facts) == mode


@pytest.mark.parametrize(
    ("requested", "facts", "missing"),
    [
        ("auto", NOTHING, ("no Docker socket", "root", "dockerd")),
        ("own", replace(FULL, root=False), ("root",)),
        ("own", replace(FULL, dockerd=False, linux=False), ("Linux", "dockerd")),
        ("cell", BARE, ("no Docker socket",)),
        ("host", BARE, ("no Docker socket",)),
    ],
)
def test_what_is_missing_is_named_with_a_remedy(requested: str, facts: Facts, missing: tuple[str, ...]):
    with pytest.raises(CapabilityError) as caught:
        choose_mode(requested, facts)
    assert all(word in caught.value.message for word in missing)
    assert caught.value.remedy


def test_an_unknown_mode_is_a_usage_error():
    with pytest.raises(UsageError, match="moon"):
        choose_mode("moon", FULL)


def test_a_missing_socket_and_a_folder_in_its_place_are_told_apart(tmp_path: Path):
    missing = gather_facts({"DOCKER_HOST": f"unix://{tmp_path}/none"})
    assert "there is no Docker socket" in missing.engine_trouble
    folder = gather_facts({}, f"unix://{tmp_path}")
    assert "is not a socket" in folder.engine_trouble


def test_a_socket_that_nobody_answers_on_is_no_engine(tmp_path: Path):
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
    assert gather_facts({}, f"unix://{path}").engine_trouble


def test_a_process_in_a_cell_knows_it(tmp_path: Path):
    environment = {"CLEANROOM_CELL": "container", "DOCKER_HOST": f"unix://{tmp_path}/none"}
    assert gather_facts(environment).in_cell
    assert not gather_facts({**environment, "CLEANROOM_CELL": "x"}).in_cell


def test_the_state_folder_follows_the_environment():
    assert default_state_dir({"XDG_CACHE_HOME": "/x", "HOME": "/h"}) == "/x/cleanroom"
    assert default_state_dir({"HOME": "/h"}) == "/h/.cache/cleanroom"


JOB, ACTION, OTHER = "aa" * 32, "bb" * 32, "cc" * 32
MOUNTINFO = (
    "61 50 0:50 / / rw - overlay overlay rw,lowerdir=/d/l/A,upperdir=/d/overlay2/bb/diff,workdir=/w\n"
    f"90 80 254:0 /data/containers/{JOB}/hostname /etc/hostname rw - ext4 /dev/vda rw\n"
    "92 80 254:0 /w /workspace rw - ext4 /dev/vda rw\n"
)


class Containers:
    """An engine with a job's container, an action's in the same network, and another of our image."""

    def __init__(self, layers: dict[str, str], *, running: bool = True):
        self.layers = layers
        self.running = running

    def inspect(self, container: str):
        if container not in self.layers:
            return None
        upper = self.layers[container]
        driver = {"Data": {"UpperDir": f"/d/overlay2/{upper}/diff"} if upper else None}
        return {
            "Id": container,
            "State": {"Running": self.running},
            "Mounts": [{"Destination": "/workspace"}],
            "GraphDriver": driver,
        }

    def containers(self, filters):
        assert filters == {"label": ["cleanroom.image=true"]}
        return [{"Id": container} for container in self.layers if container != JOB]


@pytest.mark.parametrize(
    ("layers", "found"),
    [
        ({JOB: "bb"}, JOB),
        ({JOB: ""}, JOB),
        ({JOB: "aa", OTHER: "cc", ACTION: "bb"}, ACTION),
        ({JOB: "aa", OTHER: "cc"}, None),
        ({OTHER: "", ACTION: "bb"}, ACTION),
        ({OTHER: ""}, None),
    ],
)
def test_the_container_that_we_run_in_is_found_though_another_lends_it_its_names(layers, found, monkeypatch):
    monkeypatch.setattr(modes.Path, "read_text", lambda *_, **__: MOUNTINFO)
    assert find_self(Containers(layers)).get("Id") == found
    assert find_self(Containers(layers, running=False)) == {}

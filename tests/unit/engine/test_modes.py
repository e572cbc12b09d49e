from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from cleanroom.engine.modes import Facts, choose_mode, default_state_dir, gather_facts
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

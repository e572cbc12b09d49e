"""The engine at DOCKER_HOST, a checkout in it, and the removal of everything that these tests make."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from docker.errors import APIError

from cleanroom.engine.cache import cache_volume
from tests.e2e.checkout import copy_checkout


@pytest.fixture(scope="session")
def api() -> Iterator[docker.APIClient]:
    """A client of its own, to look at the engine past the code under test."""
    client = docker.APIClient(os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock"), version="auto", timeout=60)
    yield client
    client.close()


@pytest.fixture(scope="session")
def token() -> str:
    """What tells this session's things from everything else in the engine."""
    return secrets.token_hex(4)


@pytest.fixture(scope="session")
def repository(api: docker.APIClient, token: str) -> Iterator[str]:
    """The repository that the workflows belong to; its image cache, shared by all runs here, goes at the end."""
    name = f"cleanroom-e2e/{token}"
    before = set(_volumes(api, ""))
    yield name
    for container in api.containers(all=True, filters={"name": token}):
        api.remove_container(container["Id"], v=True, force=True)
    with contextlib.suppress(APIError):
        # The layers that it shares with the image under test stay, and with them the builder's cache.
        api.remove_image("act-dockeraction:latest")
    made = [*_volumes(api, token), cache_volume(name), *({"act-toolcache"} - before)]
    for volume in made:
        with contextlib.suppress(APIError):
            api.remove_volume(volume, force=True)
    assert set(_volumes(api, "")) & set(made) == set()


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory, repository: str) -> Path:
    """A fresh copy of this repository."""
    target = tmp_path_factory.mktemp("checkout")
    copy_checkout(target, repository)
    return target


def _volumes(api: docker.APIClient, part: str) -> list[str]:
    return [volume["Name"] for volume in api.volumes()["Volumes"] or [] if part in volume["Name"]]

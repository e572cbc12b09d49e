"""The collector that these tests run: a given one, or the one that is in the image that is shipped."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
from pathlib import Path

import docker
import pytest

INSIDE = "/usr/local/bin/otelcol"


@pytest.fixture(scope="session")
def otelcol(tmp_path_factory):
    """The collector's binary: CLEANROOM_OTELCOL, else out of the image CLEANROOM_IMAGE, else otelcol on PATH."""
    if given := os.environ.get("CLEANROOM_OTELCOL"):
        return Path(given)
    if image := os.environ.get("CLEANROOM_IMAGE"):
        return _from_image(image, tmp_path_factory.mktemp("otelcol"))
    if found := shutil.which("otelcol"):
        return Path(found)
    return pytest.fail("no collector: set CLEANROOM_IMAGE (make test-engine does) or CLEANROOM_OTELCOL to a binary")


def _from_image(image, directory):
    client = docker.from_env()
    try:
        container = client.api.create_container(image, labels={"cleanroom.test": "otelcol"})
        try:
            chunks, _ = client.api.get_archive(container, INSIDE)
            archive = io.BytesIO(b"".join(chunks))
        finally:
            client.api.remove_container(container, force=True, v=True)
    finally:
        client.close()
    with tarfile.open(fileobj=archive) as tar:
        tar.extractall(directory, filter="data")
    return directory / "otelcol"

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cleanroom.errors import NetworkError
from cleanroom.network.namespace import in_namespace, namespace_of_pid


def test_a_namespace_that_is_gone_is_an_error_with_its_path(tmp_path):
    with pytest.raises(NetworkError, match="gone"):
        in_namespace(str(tmp_path / "gone"), lambda: 1)


def test_the_path_of_a_process_names_its_network_namespace():
    assert str(Path(namespace_of_pid(os.getpid())).readlink()).startswith("net:[")

from __future__ import annotations

from pathlib import Path

import pytest
import requests

from cleanroom.engine.wire import Wire, choose_api, remedy_for
from cleanroom.errors import EngineError


@pytest.mark.parametrize(
    ("newest", "oldest", "chosen"),
    [("1.41", "1.12", "1.41"), ("1.44", "1.24", "1.44"), ("1.52", "1.44", "1.44"), ("1.60", "1.50", "1.50")],
)
def test_one_api_version_is_spoken_with_every_engine_that_can(newest: str, oldest: str, chosen: str) -> None:
    assert choose_api(newest, oldest) == chosen


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ("write /var/lib/x: no space left on device", "disk space"),
        ("pull access denied for x", "registry-auth"),
        ("No such image: x:1", "build the image"),
        ("something nobody has seen", ""),
    ],
)
def test_the_engines_words_have_a_remedy_where_one_is_known(words: str, part: str) -> None:
    assert part in remedy_for(words)
    assert bool(remedy_for(words)) is bool(part)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (requests.ReadTimeout("x"), "gave no answer in time"),
        (requests.ConnectionError("refused"), "Cannot connect to the Docker engine"),
        (ValueError("Expecting value"), "answered nonsense"),
        (ConnectionRefusedError(111, "Connection refused"), r"Cannot connect .*\(Connection refused\)"),
    ],
)
def test_foreign_errors_do_not_cross(error: Exception, expected: str) -> None:
    with (
        pytest.raises(EngineError, match=f"cannot do it: .*{expected}") as caught,
        Wire("unix:///x").translated("do it"),
    ):
        raise error
    assert caught.value.__cause__ is error
    assert "DOCKER_HOST" in caught.value.remedy


def test_errors_of_ours_pass_unchanged() -> None:
    ours = EngineError("ours")
    with pytest.raises(EngineError) as caught, Wire("unix:///x").translated("do it"):
        raise ours
    assert caught.value is ours


def test_a_socket_that_is_not_there_is_told_by_its_own_words(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"Cannot connect .*none\.sock \(No such file or directory\)"):
        Wire(f"unix://{tmp_path}/none.sock").engine_version()

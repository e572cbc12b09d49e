"""Which files a call means."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cleanroom.errors import UsageError
from cleanroom.spec.discover import NothingMatchedError, discover


def test_hidden_folders_are_looked_into_only_where_they_are_named(tmp_path: Path) -> None:
    """A build folder or a checkout under `.something` must not add specs that nobody asked for."""
    for folder in ("specs", ".build/clone"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "a.cleanroom.yaml").write_text("cleanroom: 1\n")

    seen = tmp_path / "specs/a.cleanroom.yaml"
    hidden = tmp_path / ".build/clone/a.cleanroom.yaml"
    assert discover(["**/*.cleanroom.yaml"], tmp_path) == (seen,)
    assert discover(["."], tmp_path) == (seen,)
    assert discover([".build/**/*.cleanroom.yaml"], tmp_path) == (hidden,)
    assert discover([".build"], tmp_path) == (hidden,)


def test_a_pattern_that_matches_nothing_is_told_apart_from_one_that_is_wrong(tmp_path: Path) -> None:
    """Only the first may be allowed by the caller."""
    with pytest.raises(NothingMatchedError, match="no spec matches"):
        discover(["specs"], tmp_path)


def test_templates_of_whole_files_are_specs_too(tmp_path: Path) -> None:
    """Leaving them out of a folder would be a green that never looked."""
    names = ("a.cleanroom.yaml", "b.cleanroom.yml", "c.cleanroom.yaml.j2", "d.cleanroom.yml.j2")
    for name in (*names, "e.yaml.j2", "f.cleanroom.toml"):
        (tmp_path / name).touch()
    assert discover(["."], tmp_path) == tuple(tmp_path / name for name in names)


def test_a_link_that_leaves_the_workspace_is_named(tmp_path: Path) -> None:
    outside = tmp_path / "elsewhere.yaml"
    outside.touch()
    root = tmp_path / "root"
    root.mkdir()
    (root / "a.cleanroom.yaml").symlink_to(outside)
    with pytest.raises(UsageError, match=r"'a\.cleanroom\.yaml' is a link that leaves"):
        discover(["."], root)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        (os.fsdecode(b"b\xff.cleanroom.yaml"), "is not UTF-8 text"),
        ("a\n::error::b.cleanroom.yaml", "control character"),
        ("a\x1b[31m.cleanroom.yaml", "control character"),
    ],
)
def test_a_name_that_is_no_text_is_refused(tmp_path: Path, name: str, what: str) -> None:
    (tmp_path / name).touch()
    for pattern in (".", name):
        with pytest.raises(UsageError, match=what):
            discover([pattern], tmp_path)

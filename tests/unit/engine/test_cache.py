from __future__ import annotations

import os
from pathlib import Path

import pytest

from cleanroom.engine.cache import cache_volume, clear_caches, empty_to_images, list_caches, locked_folder, unexpected


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A data root as an engine leaves it: an image of one layer, a container on it, volumes, networks."""
    layer = tmp_path / "image/overlay2/layerdb/sha256/aa"
    layer.mkdir(parents=True)
    (layer / "cache-id").write_text("layer1")
    (tmp_path / "image/overlay2/imagedb").mkdir()
    (tmp_path / "image/overlay2/repositories.json").write_text("{}")
    (tmp_path / "overlay2/layer1/diff").mkdir(parents=True)
    (tmp_path / "overlay2/l").mkdir()
    return tmp_path


def leave_a_run(root: Path) -> None:
    (root / "image/overlay2/layerdb/mounts/c1").mkdir(parents=True)
    for name in ("containers/c1", "overlay2/rw1/diff", "overlay2/rw1-init", "volumes/v1/_data", "network/files"):
        (root / name).mkdir(parents=True)
    (root / "volumes/v1/_data/secret").write_text("s")
    (root / "engine-id").write_text("x")


def test_images_stay_and_everything_else_goes(root: Path):
    leave_a_run(root)
    proof = empty_to_images(str(root))
    assert proof.left == ()
    assert not proof.wiped
    assert "overlay2/rw1" in proof.removed
    assert "volumes" in proof.removed
    assert (root / "overlay2/layer1/diff").is_dir()
    assert sorted(entry.name for entry in root.iterdir()) == ["image", "overlay2"]
    assert unexpected(root) == ()


@pytest.mark.parametrize(
    "trace", ["containers/c1", "overlay2/rw1", "volumes/v1", "image/overlay2/layerdb/mounts/c1", "network", "new-thing"]
)
def test_the_proof_names_each_kind_of_leftover(root: Path, trace: str):
    (root / trace).mkdir(parents=True)
    assert any(trace.startswith(found) for found in unexpected(root))


def test_a_cache_that_lacks_a_layer_is_wiped(root: Path):
    (root / "overlay2/layer1/diff").rmdir()
    (root / "overlay2/layer1").rmdir()
    proof = empty_to_images(str(root))
    assert proof.wiped
    assert "missing" in proof.left[0]
    assert list(root.iterdir()) == []


def test_a_cache_of_an_unknown_storage_driver_is_wiped(root: Path):
    (root / "image/zfs").mkdir()
    assert empty_to_images(str(root)).wiped
    assert list(root.iterdir()) == []


def test_a_link_is_removed_and_not_followed(root: Path, tmp_path_factory: pytest.TempPathFactory):
    outside = tmp_path_factory.mktemp("outside")
    (outside / "kept").write_text("x")
    (root / "volumes").symlink_to(outside)
    assert empty_to_images(str(root)).left == ()
    assert (outside / "kept").exists()


def test_a_fresh_data_root_needs_nothing(tmp_path: Path):
    assert empty_to_images(str(tmp_path)).removed == ()
    assert empty_to_images(str(tmp_path / "none")).removed == ()


def test_two_scopes_never_share_a_cache():
    assert cache_volume("a/b") == cache_volume("a/b")
    assert cache_volume("a/b") != cache_volume("a/c")


def test_a_folder_is_locked_for_one_run_even_while_its_launcher_lives(tmp_path: Path):
    with locked_folder(str(tmp_path), "s") as first:
        assert first is not None
        with locked_folder(str(tmp_path), "s") as second:
            assert second is None
        with locked_folder(str(tmp_path), "other") as third:
            assert third is not None
    with locked_folder(str(tmp_path), "s") as again:
        assert again is not None


def test_a_copy_of_the_handle_holds_the_lock(tmp_path: Path):
    with locked_folder(str(tmp_path), "s") as first:
        copy = os.dup(first.handle)
    with locked_folder(str(tmp_path), "s") as second:
        assert second is None
    os.close(copy)


def test_clearing_leaves_a_cache_in_use(tmp_path: Path):
    with locked_folder(str(tmp_path), "used"), locked_folder(str(tmp_path), "free"):
        pass
    with locked_folder(str(tmp_path), "used"):
        assert [bool(entry.in_use) for entry in list_caches(None, str(tmp_path))].count(True) == 1
        cleared = clear_caches(None, str(tmp_path))
    assert cleared == (str(tmp_path / cache_volume("free")),)
    assert (tmp_path / cache_volume("used")).is_dir()

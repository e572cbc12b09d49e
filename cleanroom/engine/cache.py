"""The image cache: a data root that outlives a run, holds images only (by proof), and has one user at a time."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cleanroom.engine.cell import cache_holder
from cleanroom.engine.identity import ROLE_LABEL, decode_owner, provably_dead, this_process
from cleanroom.engine.raw import RawEngine
from cleanroom.errors import EngineError

PREFIX = "cleanroom-cache-"
# Part of the name: a data root that was written with another layout is never opened.
LAYOUT = "1/classic-store"
# Folder of image/ → the folder of the data root that holds its layers.
_LAYER_FOLDERS: Mapping[str, str] = {"overlay2": "overlay2", "vfs": "vfs/dir"}
_CLEANUP_LIMIT = 10.0
_PAUSE = 0.02
_KEPT_IN_IMAGE = frozenset({"distribution", "imagedb", "layerdb", "repositories.json"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheProof:
    """What was done to a data root so that it holds images only; `left` is what contradicts that (empty: proven)."""

    removed: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    wiped: bool = False
    """It could not be brought into that state and was emptied completely."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheEntry:
    """One image cache: `in_use` names what holds it, "" when it is free; `size` in bytes where it is known."""

    name: str
    in_use: str
    size: int | None


def cache_volume(scope: str) -> str:
    """Return the name of the cache volume for `scope`.

    The scope (a repository's name, say) keeps apart who may see whose images: a tag in the cache is taken at its word.
    """
    return PREFIX + hashlib.sha256(f"{LAYOUT}\n{scope}".encode()).hexdigest()[:8]


def empty_to_images(data_root: str) -> CacheProof:
    """Remove everything but images from the data root of a stopped engine, and prove it; wipe it where that fails.

    Raises `EngineError` when even the wiping fails.
    """
    root = Path(data_root)
    if not root.is_dir() or not any(root.iterdir()):
        return CacheProof()
    try:
        removed = _reduce(root)
        left = unexpected(root)
    except (OSError, ValueError) as err:
        removed, left = (), (f"unreadable: {err}",)
    if not left:
        return CacheProof(removed=removed)
    wipe(data_root)
    return CacheProof(removed=removed, left=left, wiped=True)


def wipe(data_root: str) -> None:
    """Remove all that is in a data root; raises `EngineError` when something cannot be removed."""
    # The index first: broken off half-way, layers without an index are garbage, the reverse is a broken cache.
    for entry in sorted(Path(data_root).iterdir(), key=lambda entry: entry.name != "image"):
        try:
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
        except OSError as err:
            raise EngineError(
                f"the image cache cannot be emptied: {err}",
                remedy="remove it with `cleanroom cache clear`, or --image-cache off",
            ) from err


def unexpected(root: Path) -> tuple[str, ...]:
    """Return what in a data root is neither an image nor a layer of one; nothing means: proven to hold images only.

    Raises `ValueError` when it cannot be told, or when an image lacks a layer: neither can be repaired.
    """
    found: list[str] = []
    drivers = _drivers(root)
    allowed = {"image"} | {_LAYER_FOLDERS[driver].split("/")[0] for driver in drivers}
    found += [entry.name for entry in root.iterdir() if entry.name not in allowed]
    for driver in drivers:
        store = root / "image" / driver
        found += [f"image/{driver}/{entry.name}" for entry in store.iterdir() if entry.name not in _KEPT_IN_IMAGE]
        mounts = store / "layerdb" / "mounts"
        if mounts.is_dir():
            found += [f"image/{driver}/layerdb/mounts/{entry.name}" for entry in mounts.iterdir()]
        layers = root / _LAYER_FOLDERS[driver]
        present = {entry.name for entry in layers.iterdir()} - {"l"} if layers.is_dir() else set()
        wanted = _image_layers(store)
        if lost := sorted(wanted - present):
            raise ValueError(f"the layer {_LAYER_FOLDERS[driver]}/{lost[0]} of an image is missing")
        found += [f"{_LAYER_FOLDERS[driver]}/{name}" for name in sorted(present - wanted)]
    return tuple(sorted(found))


def _reduce(root: Path) -> tuple[str, ...]:
    """Remove what `unexpected` finds until it finds nothing more, in at most three rounds."""
    removed: list[str] = []
    for _ in range(3):
        found = unexpected(root)
        if not found:
            break
        for name in found:
            entry = root / name
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
        removed += found
    return tuple(removed)


def _drivers(root: Path) -> tuple[str, ...]:
    image = root / "image"
    names = sorted(entry.name for entry in image.iterdir()) if image.is_dir() else []
    strange = [name for name in names if name not in _LAYER_FOLDERS]
    if strange:
        raise ValueError(f"image/{strange[0]} is of a storage driver that this program does not know")
    return tuple(names)


def _image_layers(store: Path) -> frozenset[str]:
    """Return the ids of the folders that hold the layers of images: what the layer database points to."""
    return frozenset(
        file.read_text(encoding="ascii").strip()
        for file in (store / "layerdb").glob("*/*/cache-id")
        if file.parent.parent.name != "mounts"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedCache:
    """A cache in a state folder that belongs to one run: to whoever has `handle`, an open file, or a copy of it."""

    data_root: str
    handle: int


@contextmanager
def locked_folder(state_dir: str, scope: str) -> Iterator[LockedCache | None]:
    """Yield the cache for `scope` in `state_dir`, locked for one run; None while another run has it.

    The lock outlives the block while another process holds a copy of the handle: the supervisor of a cell does until
    the last process of the cell is dead.
    """
    folder = Path(state_dir) / cache_volume(scope)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not _lock_from_the_living(handle):
            yield None
            return
        os.ftruncate(handle, 0)
        os.pwrite(handle, this_process().encode().encode(), 0)
        data = folder / "data"
        data.mkdir(exist_ok=True)
        yield LockedCache(data_root=str(data), handle=handle)
    finally:
        os.close(handle)


def list_caches(engine: RawEngine | None, state_dir: str) -> tuple[CacheEntry, ...]:
    """Return the caches on an engine and in a state folder, in the order of their names."""
    found: list[CacheEntry] = []
    for volume in engine.volumes({"label": [f"{ROLE_LABEL}=cache"]}) if engine else ():
        name = str(volume["Name"])
        holder = engine.inspect(cache_holder(name)) if engine else None
        found.append(CacheEntry(name=name, in_use=cache_holder(name) if holder else "", size=None))
    for folder in sorted(Path(state_dir).glob(f"{PREFIX}*")):
        size = sum(file.lstat().st_size for file in folder.rglob("*"))
        found.append(CacheEntry(name=str(folder), in_use="" if _free(folder) else "a run", size=size))
    return tuple(sorted(found, key=lambda entry: entry.name))


def clear_caches(engine: RawEngine | None, state_dir: str) -> tuple[str, ...]:
    """Remove all caches that no run uses and return their names."""
    cleared: list[str] = []
    for entry in list_caches(engine, state_dir):
        if entry.name.startswith("/"):
            removed = _remove_folder(Path(entry.name))
        else:
            removed = engine is not None and engine.remove_volume(entry.name)
        if removed:
            cleared.append(entry.name)
    return tuple(cleared)


def _remove_folder(folder: Path) -> bool:
    """Remove a cache folder while holding its lock; False when a run holds it. The lock file goes last."""
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not _lock(handle):
            return False
        shutil.rmtree(folder / "data", ignore_errors=True)
        shutil.rmtree(folder)
        return True
    finally:
        os.close(handle)


def _lock_from_the_living(handle: int) -> bool:
    """Lock at once or not at all, unless the holder is dead: then its supervisor is cleaning up, and is waited for."""
    end = time.monotonic() + _CLEANUP_LIMIT
    while not _lock(handle):
        owner = decode_owner(os.pread(handle, 4096, 0).decode("utf-8", "replace"))
        if owner is None or provably_dead(owner, this_process()) is not True or time.monotonic() > end:
            return False
        time.sleep(_PAUSE)
    return True


def _lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _free(folder: Path) -> bool:
    try:
        handle = os.open(folder / "lock", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        return _lock(handle)
    finally:
        os.close(handle)

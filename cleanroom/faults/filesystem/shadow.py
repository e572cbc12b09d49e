"""A path under another name beside it, and back: nothing is ever replaced, so nothing is lost."""

# ruff: noqa: PTH101, PTH102, PTH104, PTH106, PTH108, PTH112, PTH114, PTH120, PTH208 - paths are the target's, and many calls go by descriptor

from __future__ import annotations

import errno
import os
import shutil
import stat
from typing import Any

from cleanroom.faults.filesystem.refusal import RefusedError
from cleanroom.faults.filesystem.system import rename_anew

MOST_ENTRIES = 100_000
"""Of a directory that must be moved entry by entry."""


def identity(path: str) -> list[Any]:
    """Return what must be the same when a path is back: what it is, whose, and how large (a directory: how full)."""
    try:
        found = os.lstat(path)
    except OSError:
        return []
    size = len(os.listdir(path)) if stat.S_ISDIR(found.st_mode) else found.st_size
    return [found.st_mode, found.st_uid, found.st_gid, size]


def hide(path: str, token: str) -> dict[str, Any]:
    """Give `path` another name beside it; raises `RefusedError` where that cannot be."""
    path = path.rstrip("/")
    shadow = f"{os.path.dirname(path)}/.cleanroom-{token}"
    was = identity(path)
    if not path or not was:
        raise RefusedError(f"there is no {path or '/'} that could be moved in the container")
    try:
        relocate(path, shadow)
    except OSError as err:
        if err.errno == errno.EBUSY:
            raise RefusedError(
                f"{path} is where something is mounted, so it cannot be moved", "name a path below it"
            ) from err
        raise
    return {"shadow": shadow, "identity": was}


def bring_back(path: str, state: dict[str, Any], token: str) -> dict[str, Any]:
    """Give what was hidden its name back; what was made there meanwhile is kept under a name that is returned."""
    path, facts = path.rstrip("/"), {}
    if not os.path.lexists(state["shadow"]):
        # Undone before, or gone with the container's files.
        return {}
    if os.path.lexists(path):
        kept = f"{os.path.dirname(path)}/.cleanroom-kept-{token}"
        relocate(path, kept)
        facts["made_meanwhile"] = kept
    relocate(state["shadow"], path)
    return facts


def relocate(source: str, target: str) -> None:
    """Rename; a directory of an image's layer, which cannot be renamed as a whole, entry by entry."""
    try:
        rename_anew(source, target)
    except OSError as err:
        if err.errno == errno.EINVAL:
            # A file system that cannot promise to replace nothing: there is nothing there.
            os.rename(source, target)
        elif err.errno == errno.EXDEV and stat.S_ISDIR(os.lstat(source).st_mode):
            _move_entries(source, target)
        else:
            raise


def _move_entries(source: str, target: str) -> None:
    names = os.listdir(source)
    if len(names) > MOST_ENTRIES:
        raise RefusedError(f"{source} has more than {MOST_ENTRIES} entries")
    was = os.lstat(source)
    os.mkdir(target)
    moved: list[str] = []
    try:
        for name in names:
            relocate(f"{source}/{name}", f"{target}/{name}")
            moved.append(name)
        os.chown(target, was.st_uid, was.st_gid)
        os.chmod(target, stat.S_IMODE(was.st_mode))
        os.utime(target, ns=(was.st_atime_ns, was.st_mtime_ns))
        os.rmdir(source)
    except (OSError, RefusedError):
        for name in reversed(moved):
            relocate(f"{target}/{name}", f"{source}/{name}")
        os.rmdir(target)
        raise


def remove_tree(path: str) -> None:
    """Remove a file or a directory with all in it; nothing that is not there."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, ignore_errors=True)
    elif os.path.lexists(path):
        os.unlink(path)

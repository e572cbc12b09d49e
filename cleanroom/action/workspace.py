"""The report's place in the workspace: emptied of what an earlier run left, and given to who owns the workspace."""

from __future__ import annotations

import os
from pathlib import Path

from cleanroom.errors import UsageError

_STALE = ("report.json", "summary.md", "junit.xml")


def owner_of(workspace: Path) -> tuple[int, int]:
    """Return (uid, gid) of the workspace: whoever checked it out must be able to remove what we write."""
    found = workspace.stat()
    return found.st_uid, found.st_gid


def forget_report(directory: Path) -> None:
    """Remove the files that this run's outputs will be read from: an earlier run's must never be taken for ours.

    Raises `UsageError` when one cannot be removed.
    """
    for name in _STALE:
        try:
            (directory / name).unlink(missing_ok=True)
        except (IsADirectoryError, PermissionError, NotADirectoryError) as err:
            raise UsageError(
                f"input report-dir: {directory / name} is in the way", remedy="remove it, or name another folder"
            ) from err


def give_back(directory: Path, workspace: Path) -> None:
    """Give the report, and the folders made for it, to the workspace's owner; links are never followed."""
    if os.geteuid() != 0 or not directory.is_dir() or directory.is_symlink():
        return
    uid, gid = owner_of(workspace)
    parents = [path for path in directory.parents if path != workspace and path.is_relative_to(workspace)]
    for path in (directory, *parents):
        os.lchown(path, uid, gid)
    for folder, folders, files in os.walk(directory, followlinks=False):
        for name in (*folders, *files):
            os.lchown(Path(folder) / name, uid, gid)

"""The report folder: made room in for this run, and never at the cost of anything that is not a report of ours."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from cleanroom.errors import UsageError

FILES = ("report.json", "junit.xml", "summary.md", "digests.json", "cleanup.json", "SHA256SUMS")
_REMEDY = "name a folder of its own with --out or the input report-dir"


class FolderError(UsageError):
    """The report folder cannot be one: nothing is written to it, not even a report of that."""


def make_room(out: Path, root: Path) -> None:
    """Create the folder, or remove from it what an earlier run left, so that it is not taken for part of this one.

    Raises `FolderError` where that could meet other people's files: the workspace itself or what it lies in, a folder
    with a `journal`, `traces` or `logs` that is none of a report, or one that cannot be written.
    """
    if root.resolve().is_relative_to(out.resolve()):
        raise FolderError(f"the report folder {out} is the workspace, or holds it", remedy=_REMEDY)
    try:
        for name, ours in _FOLDERS.items():
            part = out / name
            if part.is_symlink() or (part.exists() and not (part.is_dir() and ours(part))):
                raise FolderError(f"the report folder {out} holds {name!r}, which is none of a report", remedy=_REMEDY)
        out.mkdir(parents=True, exist_ok=True)
        for name in _FOLDERS:
            if (out / name).exists():
                shutil.rmtree(out / name)
        for name in FILES:
            (out / name).unlink(missing_ok=True)
    except OSError as err:
        why = err.strerror or err
        raise FolderError(f"the report folder {out} cannot be prepared: {why}", remedy=_REMEDY) from err


def check_apart(out: Path, root: Path, specs: Iterable[str]) -> None:
    """Raise `FolderError` when one of `specs` (paths below `root`) lies in the report folder: no run gets to see it."""
    for spec in specs:
        if (root / spec).resolve().is_relative_to(out.resolve()):
            raise FolderError(f"the report folder {out} holds the spec {spec}", remedy=_REMEDY)


def _is_journal(folder: Path) -> bool:
    return all(
        p.name in {"session.json", "run.json"} or (p.is_dir() and p.name.startswith("suite-")) for p in folder.iterdir()
    )


def _are_traces(folder: Path) -> bool:
    return all(p.is_file() and p.suffix == ".jsonl" for p in folder.iterdir())


def _are_logs(folder: Path) -> bool:
    """Whether it holds nothing but `<suite>/iteration-<n>/…`."""
    suites = tuple(folder.iterdir())
    below = (p for suite in suites if suite.is_dir() for p in suite.iterdir())
    return all(p.is_dir() for p in suites) and all(p.is_dir() and p.name.startswith("iteration-") for p in below)


_FOLDERS: Mapping[str, Callable[[Path], bool]] = MappingProxyType(
    {"journal": _is_journal, "traces": _are_traces, "logs": _are_logs}
)

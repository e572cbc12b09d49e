"""All report files of a run, each whole or not there at all, whatever state the run ended in."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from cleanroom.errors import UsageError
from cleanroom.report.cleanup import render_cleanup
from cleanroom.report.digests import SUMS, render_digests, render_sums
from cleanroom.report.facts import NAME as FACTS
from cleanroom.report.facts import render_facts
from cleanroom.report.figures import timeline_files
from cleanroom.report.json_report import render_json
from cleanroom.report.junit import render_junit
from cleanroom.report.logs import log_files
from cleanroom.report.masking import blanked
from cleanroom.report.model import RunReport
from cleanroom.report.summary import render_summary
from cleanroom.report.traces import trace_files

# What machines read comes first: a writer that is killed half-way leaves the most important files.
_RENDERERS: tuple[tuple[str, Callable[[RunReport], str]], ...] = (
    ("report.json", render_json),
    ("junit.xml", render_junit),
    ("summary.md", render_summary),
    ("digests.json", render_digests),
    ("cleanup.json", render_cleanup),
)
_FORBIDDEN = frozenset('":<>|*?\r\n\\')


RENDERERS: Mapping[str, Callable[[RunReport], str]] = MappingProxyType(dict(_RENDERERS))
"""Every file of a report folder that is one text, by name."""


def write_report(
    report: RunReport, directory: str | Path, journal: Mapping[str, bytes] | None = None
) -> tuple[Path, ...]:
    """Write every report file below `directory` and return their paths.

    `journal` holds further files by name relative to `journal/`, masked already; what the run wrote there before
    stays, its secrets overwritten, and is listed too. Other files of an earlier report go. Each file appears by a
    rename. Raises `UsageError` when the directory cannot be written, or leads somewhere else by a symbolic link.
    """
    root = Path(directory)
    written: dict[str, bytes] = {}
    try:
        root.mkdir(parents=True, exist_ok=True)
        _forget(root)
        for name, data in _files(report, journal or {}):
            _write(root, name, data)
            written[name] = data
        found, masked = _journal(root, written, report.secrets)
        written.update(found)
        if "journal/session.json" in written and FACTS not in (journal or {}):
            facts = render_facts(report, masked).encode("utf-8")
            _write(root, f"journal/{FACTS}", facts)
            written[f"journal/{FACTS}"] = facts
        sums = render_sums(written).encode("utf-8")
        _write(root, SUMS, sums)
    except OSError as err:
        raise UsageError(
            f"the report cannot be written to {root}: {err.strerror or err}",
            remedy="name a directory that can be written, with --out or the input report-dir",
        ) from err
    return tuple(root / name for name in (*written, SUMS))


def _files(report: RunReport, journal: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    for name, render in _RENDERERS:
        yield name, render(report).encode("utf-8", "backslashreplace")
    yield from ((f"journal/{name}", data) for name, data in sorted(journal.items()))
    yield from log_files(report)
    yield from timeline_files(report)
    yield from trace_files(report)


def _journal(
    root: Path, written: Mapping[str, bytes], secrets: tuple[str, ...]
) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """Return the files that the run wrote into the journal while it went, without secrets, and which held some.

    Links are not followed.
    """
    found = {p.relative_to(root).as_posix(): p for p in sorted((root / "journal").rglob("*")) if not p.is_symlink()}
    files = {name: path.read_bytes() for name, path in found.items() if path.is_file() and name not in written}
    clean = {name: blanked(data, secrets) for name, data in files.items()}
    masked = tuple(name for name, data in clean.items() if data != files[name])
    for name in masked:
        _write(root, name, clean[name])
    return clean, masked


def _forget(root: Path) -> None:
    """Remove what an earlier report listed, and nothing else: the directory may hold a person's own files."""
    try:
        listed = (root / SUMS).read_text(encoding="utf-8")
    except (FileNotFoundError, UnicodeDecodeError):
        return
    for line in listed.splitlines():
        name = line[66:]
        if _refused(name) or name.startswith("journal/") or not _inside(root / name, root):
            continue
        with contextlib.suppress(OSError):  # gone already, or not ours to remove
            (root / name).unlink()
    (root / SUMS).unlink()


def _write(root: Path, name: str, data: bytes) -> None:
    if why := _refused(name):
        raise ValueError(f"report file {name!r}: {why}")
    path = root / name
    if not _inside(path, root):
        raise UsageError(
            f"{path.parent} leads out of the report directory {root}",
            remedy="remove the symbolic link, or name another directory with --out or the input report-dir",
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix="cleanroom-", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _inside(path: Path, root: Path) -> bool:
    """Return whether `path` stays in `root`: a checkout may bring links to places that are none of ours."""
    return path.parent.resolve().is_relative_to(root.resolve())


def _refused(name: str) -> str:
    """Why a name cannot be a report file's: artifact stores refuse some characters and skip hidden files."""
    parts = name.split("/")
    if any(part in {"", ".", ".."} or part.startswith(".") for part in parts):
        return "empty or hidden parts are not allowed"
    return "a character that artifacts do not allow" if _FORBIDDEN & set(name) else ""

"""Tar archives that depend on nothing but paths, modes and bytes: no clock, no owner, one order."""

from __future__ import annotations

import hashlib
import io
import stat
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from docker.utils.build import exclude_paths

from cleanroom.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE_MODE = 0o644


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextEntry:
    """One path of a build context: relative, with its permission bits; `kind` is file, dir or link."""

    path: str
    kind: str
    mode: int
    link: str = ""


def files_archive(files: Mapping[str, bytes]) -> bytes:
    """Return a tar of `files` (absolute path → content), owner root, mode 0644; parents are left to the engine."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path in sorted(files):
            # No entries for directories: they would reset the mode and owner of those that the image has.
            info = tarfile.TarInfo(path.lstrip("/"))
            info.size, info.mode = len(files[path]), FILE_MODE
            archive.addfile(info, io.BytesIO(files[path]))
    return buffer.getvalue()


def context_entries(root: Path, dockerfile: str) -> tuple[ContextEntry, ...]:
    """Return the paths of a build context in sorted order, less what `.dockerignore` excludes; raises `EngineError`."""
    try:
        ignore = root / ".dockerignore"
        lines = ignore.read_text("utf-8").splitlines() if ignore.is_file() else []
        patterns = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
        kept = sorted(exclude_paths(str(root), patterns, dockerfile=dockerfile))
        entries = (_entry(root, path) for path in kept)
        return tuple(entry for entry in entries if entry is not None)
    except (OSError, UnicodeDecodeError) as err:
        raise EngineError(f"cannot read the build context {root}: {err}") from err


def context_hash(root: Path, entries: tuple[ContextEntry, ...]) -> str:
    """Return the hex SHA-256 over paths, kinds, modes, links and contents."""
    digest = hashlib.sha256()
    for entry in entries:
        header = f"{entry.kind} {entry.mode:o} {entry.path}\0{entry.link}\0"
        digest.update(header.encode("utf-8", "surrogateescape"))
        if entry.kind == "file":
            digest.update(hashlib.sha256((root / entry.path).read_bytes()).digest())
    return digest.hexdigest()


def write_context(root: Path, entries: tuple[ContextEntry, ...], target: IO[bytes]) -> None:
    """Write the context as a tar to `target`; raises `OSError` when a file cannot be read."""
    with tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for entry in entries:
            info = tarfile.TarInfo(entry.path)
            info.mode = entry.mode
            if entry.kind == "dir":
                info.type = tarfile.DIRTYPE
                archive.addfile(info)
            elif entry.kind == "link":
                info.type, info.linkname = tarfile.SYMTYPE, entry.link
                archive.addfile(info)
            else:
                content = (root / entry.path).read_bytes()
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))


def _entry(root: Path, path: str) -> ContextEntry | None:
    full = root / path
    status = full.lstat()
    mode = stat.S_IMODE(status.st_mode)
    if stat.S_ISLNK(status.st_mode):
        return ContextEntry(path=path, kind="link", mode=0o777, link=str(full.readlink()))
    if stat.S_ISDIR(status.st_mode):
        return ContextEntry(path=path, kind="dir", mode=mode)
    # Sockets, pipes and devices have no content that an image could take.
    return ContextEntry(path=path, kind="file", mode=mode) if stat.S_ISREG(status.st_mode) else None

"""The workspace on its way into a cell, and the report on its way out: bounded tar streams."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from cleanroom.errors import EngineError, UsageError

_BLOCK = 512
_CHUNK = 1 << 18
WORKSPACE_LIMIT = 2 << 30
REPORT_LIMIT = 4 << 30
FILES_LIMIT = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What of a folder is packed: all but `exclude` (paths relative to it), at most `limit` bytes."""

    exclude: tuple[str, ...] = ()
    limit: int = WORKSPACE_LIMIT


@dataclass(frozen=True, slots=True)
class _Entry:
    relative: str
    path: Path
    status: os.stat_result


def pack(root: str, prefix: str, selection: Selection) -> Iterator[bytes]:
    """Return a tar stream of `root` with every path below `prefix`, owned by root; symbolic links stay links.

    Sockets, pipes and devices are left out. Raises `UsageError` at once, before anything is sent, when the folder does
    not exist or is beyond the limits.
    """
    entries = _walk(Path(root), selection)
    return _stream(entries, prefix)


def unpack(chunks: Iterator[bytes], target: str, strip: int, owner: tuple[int, int] | None = None) -> tuple[str, ...]:
    """Write the files of a tar stream below `target`, less the first `strip` parts of their paths; return the paths.

    What comes out of a cell is not trusted: links and special files are left out, a path that leads outside raises
    `EngineError`, and so does more than 4 GiB. Files get mode 0644 and, given `owner` (uid, gid), that owner.
    """
    written: list[str] = []
    total = 0
    base = Path(target)
    _folder(base, owner)
    try:
        with tarfile.open(fileobj=_Reader(chunks), mode="r|") as archive:
            for member in archive:
                parts = PurePosixPath(member.name).parts[strip:]
                if not parts or not (member.isreg() or member.isdir()):
                    continue
                if ".." in parts or parts[0].startswith("/"):
                    raise EngineError(f"the report of the cell holds a path that leads outside of it: {member.name!r}")
                path = base.joinpath(*parts)
                if member.isdir():
                    _folder(path, owner)
                    continue
                total += member.size
                if total > REPORT_LIMIT or len(written) >= FILES_LIMIT:
                    raise EngineError(
                        f"the report of the cell is larger than {REPORT_LIMIT >> 30} GiB or {FILES_LIMIT} files"
                    )
                _folder(path.parent, owner)
                _write(path, archive.extractfile(member), owner)
                written.append("/".join(parts))
    except tarfile.TarError as err:
        raise EngineError(f"the report could not be read out of the cell: {err}") from err
    return tuple(written)


def _walk(root: Path, selection: Selection) -> list[_Entry]:
    if not root.is_dir():
        raise UsageError(
            f"the workspace {root} is not a folder", remedy="call cleanroom inside the repository, or give --root"
        )
    excluded = {PurePosixPath(path) for path in selection.exclude}
    entries: list[_Entry] = []
    total = 0
    for folder, names, files in os.walk(root):
        here = Path(folder)
        kept = []
        for name in sorted((*names, *files)):
            path = here / name
            relative = PurePosixPath(path.relative_to(root).as_posix())
            if relative in excluded:
                continue
            status = path.lstat()
            if stat.S_ISDIR(status.st_mode):
                kept.append(name)
            elif stat.S_ISREG(status.st_mode):
                total += status.st_size
            elif not stat.S_ISLNK(status.st_mode):
                continue
            entries.append(_Entry(str(relative), path, status))
        names[:] = kept
        if total > selection.limit or len(entries) > FILES_LIMIT:
            raise UsageError(
                f"the workspace {root} has more than {selection.limit >> 20} MiB or {FILES_LIMIT} files (up to {here})",
                remedy="keep large files out of the workspace, or give a smaller folder with --root",
            )
    return entries


def _stream(entries: list[_Entry], prefix: str) -> Iterator[bytes]:
    yield _header(prefix, tarfile.DIRTYPE, 0o755)
    for entry in entries:
        name = f"{prefix}/{entry.relative}"
        mode = stat.S_IMODE(entry.status.st_mode)
        if stat.S_ISLNK(entry.status.st_mode):
            yield _header(name, tarfile.SYMTYPE, mode, link=str(entry.path.readlink()))
        elif stat.S_ISDIR(entry.status.st_mode):
            yield _header(name, tarfile.DIRTYPE, mode)
        else:
            yield from _file(name, entry)
    yield bytes(2 * _BLOCK)


def _file(name: str, entry: _Entry) -> Iterator[bytes]:
    """Yield one file as it is now; a large one has the size that was counted, and is an error when it shrinks."""
    left = entry.status.st_size
    try:
        # O_NOFOLLOW: what was a file when it was counted must not have become a link out of the workspace.
        handle = os.open(entry.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as err:
        raise EngineError(f"a file of the workspace cannot be read: {err}") from err
    with os.fdopen(handle, "rb") as file:
        mode, mtime = stat.S_IMODE(entry.status.st_mode), int(entry.status.st_mtime)
        if left <= _CHUNK:
            # An editor may be saving at this moment: what is read now is the file.
            data = file.read(_CHUNK)
            yield _header(name, tarfile.REGTYPE, mode, size=len(data), mtime=mtime) + data + bytes(-len(data) % _BLOCK)
            return
        yield _header(name, tarfile.REGTYPE, mode, size=left, mtime=mtime)
        while left:
            data = file.read(min(left, _CHUNK))
            if not data:
                raise EngineError(f"{entry.path} became shorter while it was copied into the cell")
            left -= len(data)
            yield data
    if padding := -entry.status.st_size % _BLOCK:
        yield bytes(padding)


def _header(name: str, kind: bytes, mode: int, *, size: int = 0, link: str = "", mtime: int = 0) -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.size, info.linkname, info.mtime = kind, mode, size, link, mtime
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def _folder(path: Path, owner: tuple[int, int] | None) -> None:
    missing = []
    while not path.is_dir():
        missing.append(path)
        path = path.parent
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)
        if owner:
            os.chown(folder, *owner)


def _write(path: Path, source: IO[bytes] | None, owner: tuple[int, int] | None) -> None:
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    with os.fdopen(handle, "wb") as file:
        while source and (data := source.read(_CHUNK)):
            file.write(data)
        if owner:
            os.fchown(file.fileno(), *owner)


class _Reader(io.RawIOBase):
    """A file that reads from chunks, as `tarfile` wants it."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        while len(self._rest) < size or size < 0:
            chunk = next(self._chunks, None)
            if chunk is None:
                break
            self._rest += chunk
        size = len(self._rest) if size < 0 else size
        data, self._rest = self._rest[:size], self._rest[size:]
        return data

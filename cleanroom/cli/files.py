"""Files that commands read and write at the caller's wish: inside the repository, and never replaced by accident."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from cleanroom.errors import UsageError


def inside(text: str, root: Path, *, exists: bool = True, base: Path | None = None) -> Path:
    """Return the path that an argument names, relative to `base` (where the caller stands); raises UsageError."""
    path = (base or Path.cwd()).resolve() / text
    if not path.resolve().is_relative_to(root.resolve()):
        raise UsageError(
            f"{text} lies outside {root}", remedy="stay inside the repository, or give its folder as --root"
        )
    if exists and not path.is_file():
        raise UsageError(f"there is no file {text}")
    return path


def write_new(
    path: Path, text: str, *, force: bool = False, otherwise: str = "give another name, or replace it with --force"
) -> None:
    """Write a file that is not there yet; raises UsageError (advice `otherwise`) when it is, or cannot be written."""
    try:
        with path.open("w" if force else "x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{path} is there already", remedy=otherwise) from None
    except OSError as err:
        raise UsageError(f"{path} cannot be written: {err.strerror}") from err


def replace_file(path: Path, data: bytes) -> None:
    """Write a file so that it is the old one or the new one at every moment, with the same mode; raises OSError."""
    mode = path.stat().st_mode & 0o7777
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            os.fchmod(file.fileno(), mode)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise

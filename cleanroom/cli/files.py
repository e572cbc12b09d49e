"""Files that commands read and write at the caller's wish: inside the repository, and never replaced by accident."""

from __future__ import annotations

from pathlib import Path

from cleanroom.errors import UsageError


def inside(text: str, root: Path, *, exists: bool = True) -> Path:
    """Return the path that an argument names, relative to where the caller stands; raises UsageError."""
    path = Path.cwd().resolve() / text
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

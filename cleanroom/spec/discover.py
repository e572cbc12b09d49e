"""Which spec files a call means: globs and directories inside the workspace."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

from cleanroom.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

SUFFIXES = (".cleanroom.yaml", ".cleanroom.yml", ".cleanroom.yaml.j2", ".cleanroom.yml.j2")
_NO_TEXT = ("Cc", "Cs", "Zl", "Zp")
"""Unicode's categories of control characters, halves of surrogate pairs (bytes that are no text) and line ends."""
_GLOB_CHARACTERS = frozenset("*?[")


class NothingMatchedError(UsageError):
    """A pattern matches no spec file: a typo more often than an empty repository."""


def discover(patterns: Sequence[str], root: Path) -> tuple[Path, ...]:
    """Return the spec files that `patterns` name, absolute and sorted.

    A pattern is a file, a directory (every *.cleanroom.yaml and .yml under it, and their .j2) or a glob, relative to
    `root`; folders whose name begins with a dot are looked into only where the pattern names them. Raises
    NothingMatchedError for a pattern that matches nothing, UsageError for one that leaves `root`, be it through a
    symbolic link, and for a name that is no text: reports and digests are.
    """
    root = root.resolve()
    found: set[Path] = set()
    for pattern in patterns:
        matches = _matches(pattern, root)
        if not matches:
            raise NothingMatchedError(
                f"no spec matches {pattern!r} in {root}",
                remedy="name a file, a directory with *.cleanroom.yaml files, or a glob like 'specs/*.cleanroom.yaml'",
            )
        found |= matches
    for path in sorted(found):
        _check_name(path.relative_to(root))
    if not found:
        raise UsageError("no spec was named", remedy="name a file, a directory or a glob")
    return tuple(sorted(found))


def is_inside(path: Path, root: Path) -> bool:
    """Whether `path`, with every symbolic link followed, lies inside `root`."""
    return path.resolve().is_relative_to(root.resolve())


def _matches(pattern: str, root: Path) -> set[Path]:
    relative = Path(pattern)
    if relative.is_absolute():
        if not relative.is_relative_to(root):
            raise _leaves(pattern, root)
        relative = relative.relative_to(root)
    if ".." in relative.parts:
        if _GLOB_CHARACTERS.intersection(pattern) or not is_inside(root / relative, root):
            raise _leaves(pattern, root)
        relative = (root / relative).resolve().relative_to(root)
    literal = root / relative
    if literal.exists():
        candidates = [literal]
    elif _GLOB_CHARACTERS.intersection(pattern):
        try:
            candidates = [path for path in root.glob(str(relative)) if not _hidden(path, root, relative)]
        except ValueError as err:
            raise UsageError(f"{pattern!r} is not a glob: {err}") from err
    else:
        candidates = []
    files: set[Path] = set()
    for candidate in candidates:
        if not is_inside(candidate, root):
            raise _leaves(pattern, root)
        files |= _files(candidate, root) if candidate.is_dir() else {candidate}
    return files


def _check_name(name: Path) -> None:
    """Refuse names that are no text, and those that a terminal or a log would take for more than a name."""
    bad = next((character for character in str(name) if unicodedata.category(character) in _NO_TEXT), "")
    if bad:
        what = "is not UTF-8 text" if unicodedata.category(bad) == "Cs" else "has a control character in it"
        raise UsageError(f"the name of the spec {str(name)!r} {what}", remedy="rename the file or its folder")


def _files(directory: Path, root: Path) -> set[Path]:
    found = (path for path in directory.rglob("*.cleanroom.*") if path.name.endswith(SUFFIXES) and path.is_file())
    files = {path for path in found if not _hidden(path, directory, Path())}
    for path in sorted(files):
        if not is_inside(path, root):
            name = path.relative_to(root).as_posix()
            raise UsageError(
                f"{name!r} is a link that leaves {root}", remedy="keep specs inside the workspace, or remove the link"
            )
    return files


def _hidden(path: Path, base: Path, named: Path) -> bool:
    """Whether a folder between `base` and the file begins with a dot and the pattern does not name it."""
    folders = path.relative_to(base).parts[:-1]
    return any(part.startswith(".") and part not in named.parts for part in folders)


def _leaves(pattern: str, root: Path) -> UsageError:
    return UsageError(f"the spec pattern {pattern!r} leaves {root}", remedy="keep specs inside the workspace")

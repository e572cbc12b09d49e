"""Files of the repository that a Compose file refers to: found, kept inside, read under limits."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from cleanroom.spec.compose.dotenv import Assignment, DotenvError, read_dotenv
from cleanroom.spec.compose.interpolation import Lookup
from cleanroom.spec.compose.spot import Spot
from cleanroom.spec.discover import is_inside
from cleanroom.spec.document import LARGEST_FILE, Table, UnreadableError, decode, read_document
from cleanroom.spec.operand import shown
from cleanroom.spec.problem import ProblemLog
from cleanroom.spec.source import Position

LARGEST_TEXT = 64 * 1024
"""What the template function `file()` reads (spec.md section 1)."""
_TAGS = ("!reset", "!override")


@dataclass(frozen=True, slots=True)
class Places:
    """The repository, and the folder that the paths of the resulting spec are relative to."""

    root: Path
    base: Path

    def beside(self, at: Position, path: str) -> Path:
        """Return the path that a value at `at` means: relative to the folder of the file it stands in."""
        return (self.root / at.file).parent / path

    def name(self, path: Path) -> str:
        """Return a path as messages name it: relative to the repository where it is inside."""
        absolute = path.parent.resolve() / path.name
        return absolute.relative_to(self.root).as_posix() if absolute.is_relative_to(self.root) else path.as_posix()

    def written(self, path: Path) -> str:
        """Return the path as the spec writes it."""
        relative = Path(os.path.relpath(path.resolve(), self.base.resolve())).as_posix()
        return relative if relative == "." or relative.startswith("../") else f"./{relative}"

    def is_inside(self, path: Path) -> bool:
        """Whether a path, with every symbolic link followed, lies inside the repository."""
        return is_inside(path, self.root)

    def small_text(self, path: Path) -> str | None:
        """Return the text of a small file that is text and no program; None for every other."""
        try:
            if not path.is_file() or os.access(path, os.X_OK) or path.stat().st_size > LARGEST_TEXT:
                return None
            return path.read_bytes().decode("utf-8")
        except (OSError, UnicodeDecodeError):
            return None


def read_compose(path: Path, places: Places, log: ProblemLog) -> Table:
    """Return the mapping that a Compose file holds; its lines become known to `log`. Raises UnreadableError."""
    own = ProblemLog(places.name(path))
    try:
        document = read_document(decode(_bytes(path, places, own), own), own)
    finally:
        tagged = [problem for problem in own.found.values() if problem.code == "custom-tag"]
        log.absorb(own)
    if any(tag in problem.message for problem in tagged for tag in _TAGS):
        message = "the tags !reset and !override of Compose are not read here"
        log.report(
            "custom-tag", tagged[0].at, message, suggestion="give the merged file that `docker compose config` prints"
        )
    return document


def read_variables(path: Path, spot: Spot, at: Position, places: Places, outer: Lookup) -> dict[str, Assignment]:
    """Return the variables of an env file; reports one that cannot be read, at `at`, and raises RefusedError."""
    name = places.name(path)
    if not places.is_inside(path):
        raise spot.problem("outside", at, f"{shown(name)} lies outside the repository")
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
        if len(data) > LARGEST_FILE:
            raise spot.problem("too-large", at, f"{shown(name)} is too large", expected="at most 1 MiB")
        text = data.decode("utf-8")
        if "\0" in text:
            raise spot.problem("wrong-value", at, f"{shown(name)} has a NUL character in it")
        return read_dotenv(text, outer)
    except OSError as err:
        raise spot.problem("missing-path", at, f"{shown(name)} cannot be read: {err.strerror}") from err
    except UnicodeDecodeError as err:
        raise spot.problem("not-utf8", at, f"{shown(name)} is not UTF-8 text") from err
    except DotenvError as err:
        raise spot.problem("wrong-value", at, f"{name}, line {err.line}: {err}") from err


def _bytes(path: Path, places: Places, log: ProblemLog) -> bytes:
    at = Position(log.file, 1, 1)
    if not places.is_inside(path):
        log.report("outside", at, "the Compose file lies outside the repository")
        raise UnreadableError
    try:
        with path.open("rb") as file:
            return file.read(LARGEST_FILE + 1)
    except OSError as err:
        log.report("unreadable", at, f"the Compose file cannot be read: {err.strerror}")
        raise UnreadableError from err

"""A spec file as one frozen value, or everything that is wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cleanroom.spec.check import check
from cleanroom.spec.discover import discover, is_inside
from cleanroom.spec.document import LARGEST_FILE, UnreadableError, decode, read_document
from cleanroom.spec.problem import ProblemLog, render_problems
from cleanroom.spec.shapes.shape import Place, RefusedError
from cleanroom.spec.shapes.suite import belongs, read_suite
from cleanroom.spec.source import Position, Problem
from cleanroom.spec.template import Names, render

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cleanroom.spec.suite import Suite

__all__ = ["discover", "load_suite", "render_problems"]


def load_suite(
    path: Path,
    *,
    root: Path,
    variables: Mapping[str, str],
    environment: Mapping[str, str],
    seed: int | None = None,
) -> Suite | tuple[Problem, ...]:
    """Return the suite in `path`, or every problem of the file in order of position; a broken file raises nothing.

    `root` is the workspace: paths in the spec stay inside it. `variables` are the caller's own (`--var`), `environment`
    the names that templates may read. `seed` is the caller's; without one templates see the spec's own, or 42.
    """
    root = root.resolve()
    path = root / path
    log = ProblemLog(_name(path, root))
    suite: Suite | None = None
    try:
        document = read_document(decode(_read(path, root, log), log), log)
        directory = path.resolve().parent
        names = Names(variables=variables, environment=environment, seed=seed, root=root, directory=directory)
        rendered = render(document, names, log)
        suite = read_suite(rendered, Place(log, "", belongs()))
        suite = check(suite, rendered, log, root, directory)
    except (UnreadableError, RefusedError):
        suite = None  # reported where it was found
    problems = log.sorted()
    if suite is None or problems:
        return problems
    return suite


def _name(path: Path, root: Path) -> str:
    # The folder is resolved and the file is not: a link to a spec keeps the name that people see.
    absolute = path.parent.resolve() / path.name
    return absolute.relative_to(root).as_posix() if absolute.is_relative_to(root) else path.as_posix()


def _read(path: Path, root: Path, log: ProblemLog) -> bytes:
    at = Position(log.file, 1, 1)
    if path.suffix == ".j2":
        message = "whole-file templates (.j2) are part of the language but not available in this version"
        log.report("not-available", at, message)
        raise UnreadableError
    if not is_inside(path, root):
        log.report("outside", at, "the spec lies outside the workspace")
        raise UnreadableError
    try:
        with path.open("rb") as file:
            return file.read(LARGEST_FILE + 1)
    except OSError as err:
        log.report("unreadable", at, f"the spec cannot be read: {err.strerror}")
        raise UnreadableError from err

"""A spec file as frozen values, one per combination of its matrix, or everything that is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cleanroom.errors import UsageError
from cleanroom.spec.discover import discover, is_inside
from cleanroom.spec.document import LARGEST_FILE, UnreadableError, decode, read_document
from cleanroom.spec.problem import MOST_PROBLEMS, ProblemLog, render_problems
from cleanroom.spec.source import Position, Problem
from cleanroom.spec.templates.expression import Work
from cleanroom.spec.templates.matrix import NO_MATRIX, combinations, label
from cleanroom.spec.templates.names import Names
from cleanroom.spec.templates.template import render, render_node

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cleanroom.spec.document import Table
    from cleanroom.spec.suite import Suite
    from cleanroom.spec.templates.matrix import Combination

__all__ = ["discover", "load_spec", "load_suite", "render_problems", "render_spec"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedSpec:
    """The suites of one file, or its problems in order of position: never both."""

    suites: tuple[Suite, ...] = ()
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A spec after its templates, for one combination of its matrix."""

    combination: Combination
    document: Table
    log: ProblemLog

    @property
    def label(self) -> str:
        """The combination in words; empty without a matrix."""
        return label(self.combination)


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedSpec:
    """The instances of one file after its templates, or the problems of its text and templates: never both."""

    file: str
    instances: tuple[Instance, ...] = ()
    problems: tuple[Problem, ...] = ()


def load_spec(
    path: Path,
    *,
    root: Path,
    variables: Mapping[str, str],
    environment: Mapping[str, str],
    seed: int | None = None,
) -> LoadedSpec:
    """Return the suites in `path`, or every problem of the file; a broken file raises nothing.

    `root` is the workspace: paths in the spec stay inside it. `variables` are the caller's own (`--var`), `environment`
    the names that templates may read. `seed` is the caller's; without one templates see the spec's own, or 42.
    """
    root = root.resolve()
    path = root / path
    given = Names(
        variables=variables, environment=environment, seed=seed, root=root, directory=path.resolve().parent
    )  # fmt: skip
    log, instances = _instances(path, given)
    suites = [_suite(instance, root, given.directory) for instance in instances]
    problems = _merged(log, instances)
    whole = [suite for suite in suites if suite is not None]
    if problems or len(whole) != len(suites):
        return LoadedSpec(problems=problems)
    return LoadedSpec(suites=tuple(whole))


def load_suite(
    path: Path,
    *,
    root: Path,
    variables: Mapping[str, str],
    environment: Mapping[str, str],
    seed: int | None = None,
) -> Suite | tuple[Problem, ...]:
    """Do as `load_spec` for a file that is one suite; raises UsageError when its matrix makes several of it."""
    loaded = load_spec(path, root=root, variables=variables, environment=environment, seed=seed)
    if len(loaded.suites) > 1:
        raise UsageError(f"{loaded.suites[0].file} is {len(loaded.suites)} suites: {loaded.suites[0].name}, …")
    return loaded.suites[0] if loaded.suites else loaded.problems


def render_spec(
    path: Path,
    *,
    root: Path,
    variables: Mapping[str, str],
    environment: Mapping[str, str],
    seed: int | None = None,
) -> RenderedSpec:
    """Return what templates make of a file, valid or not; takes what `load_spec` takes."""
    root = root.resolve()
    path = root / path
    directory = path.resolve().parent
    given = Names(variables=variables, environment=environment, seed=seed, root=root, directory=directory)
    log, instances = _instances(path, given)
    problems = _merged(log, instances)
    return RenderedSpec(file=log.file, instances=() if problems else instances, problems=problems)


def _instances(path: Path, given: Names) -> tuple[ProblemLog, tuple[Instance, ...]]:
    """Return what the file holds for each combination, each with a log of its own, and the log of the file itself."""
    log = ProblemLog(_name(path, given.root))
    work = Work()
    try:
        text = decode(_read(path, given.root, log), log)
        if path.suffix == ".j2":
            from cleanroom.spec.templates.whole_file import read_whole_file  # noqa: PLC0415 -- other specs need not pay for it

            document = read_whole_file(text, given, log, work)
        else:
            document = read_document(text, log)
    except UnreadableError:
        return log, ()
    matrix = document.get("matrix")
    if matrix is not None:
        matrix = render_node(matrix, document, given, log, ProblemLog(log.file, log.lines))
    found = combinations(matrix, document.size, log)
    if found is None:
        if not log.found:
            raise AssertionError("a matrix was given up without a problem")
        # What refers to the matrix cannot be judged; the rest of the file is.
        given = replace(given, broken=frozenset({"matrix"}))
    instances = []
    for combination in found or NO_MATRIX:
        own = ProblemLog(log.file, log.lines)
        names = given if matrix is None or found is None else replace(given, matrix=combination)
        rendered = render(document, names, own, work)  # the instances share one budget
        instances.append(Instance(combination=combination, document=rendered, log=own))
    return log, tuple(instances)


def _suite(instance: Instance, root: Path, directory: Path) -> Suite | None:
    """Return the suite that an instance is; None when it has a problem, which is in the instance's log."""
    from cleanroom.spec.checks.suite import check  # noqa: PLC0415 -- rendering needs neither shapes nor checks
    from cleanroom.spec.shapes.place import Place, RefusedError  # noqa: PLC0415
    from cleanroom.spec.shapes.suite import belongs, read_suite  # noqa: PLC0415

    log = instance.log
    document = instance.document
    incomplete = False
    reported: frozenset[tuple[str, Position, str]] = frozenset()
    try:
        if document.get("compose") is not None:
            from cleanroom.spec.compose.load import merge_compose  # noqa: PLC0415 -- few specs have one

            before = len(log.found)
            merged = merge_compose(document, root, directory, log)
            incomplete = merged is document or len(log.found) > before
            document = merged
        reported = frozenset(log.found)
        read = read_suite(document, Place(log, "", belongs()))
        suite: Suite | None = check(read, document, log, root, directory)
    except (UnreadableError, RefusedError):
        suite = None  # reported where it was found
    if incomplete:
        # A service that the spec speaks of may be one of those that could not be taken.
        log.forget("unknown-service", reported)
    if suite is None:
        return None
    name = f"{suite.name} ({instance.label})" if instance.combination else suite.name
    return replace(suite, name=name, instance=instance.combination, unavailable=log.unavailable())


def _merged(log: ProblemLog, instances: tuple[Instance, ...]) -> tuple[Problem, ...]:
    """Return the problems of a file and of all its instances, each once, in order of position.

    What is wrong in some instances only says in which.
    """
    found: dict[tuple[str, Position, str], tuple[Problem, list[str]]] = {}
    for key, problem in log.found.items():
        found[key] = (problem, [instance.label for instance in instances])
    for instance in instances:
        for key, problem in instance.log.found.items():
            found.setdefault(key, (problem, []))[1].append(instance.label)
    everywhere = len(instances)
    problems = [
        replace(problem, message=f"{problem.message} (in {_some(labels)})") if len(labels) < everywhere else problem
        for problem, labels in found.values()
    ]
    return tuple(sorted(problems, key=lambda problem: (problem.at, problem.code, problem.message))[:MOST_PROBLEMS])


def _some(labels: list[str]) -> str:
    more = len(labels) - 1
    return labels[0] + (f" and {more} other instance{'s' if more > 1 else ''}" if more else "")


def _name(path: Path, root: Path) -> str:
    # The folder is resolved and the file is not: a link to a spec keeps the name that people see.
    absolute = path.parent.resolve() / path.name
    return absolute.relative_to(root).as_posix() if absolute.is_relative_to(root) else path.as_posix()


def _read(path: Path, root: Path, log: ProblemLog) -> bytes:
    at = Position(log.file, 1, 1)
    if not is_inside(path, root):
        log.report("outside", at, "the spec lies outside the workspace")
        raise UnreadableError
    try:
        if path.exists() and not path.is_file():
            # A pipe would be waited for; a folder is none.
            log.report("unreadable", at, "the spec cannot be read: it is no regular file")
            raise UnreadableError
        with path.open("rb") as file:
            return file.read(LARGEST_FILE + 1)
    except OSError as err:
        log.report("unreadable", at, f"the spec cannot be read: {err.strerror}")
        raise UnreadableError from err

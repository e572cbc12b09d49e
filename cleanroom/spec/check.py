"""Cross-references: what each part of a spec says about the others, and about the files it names."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cleanroom.spec.check_scenario import check_scenario, check_windows
from cleanroom.spec.discover import is_inside
from cleanroom.spec.document import Table
from cleanroom.spec.operand import shown
from cleanroom.spec.reference import items_at, locate, require, require_unique, text_at

if TYPE_CHECKING:
    from pathlib import Path

    from cleanroom.spec.document import Node
    from cleanroom.spec.problem import ProblemLog
    from cleanroom.spec.scenario import Scenario
    from cleanroom.spec.service import Build, Service
    from cleanroom.spec.source import Position
    from cleanroom.spec.suite import Suite


def check(suite: Suite, document: Table, log: ProblemLog, root: Path, directory: Path) -> Suite:
    """Report what does not fit together; returns the suite with build contexts relative to the workspace `root`.

    Paths in the spec are relative to its own `directory`. A name counts as declared when it is written, even where the
    rest of its declaration is broken.
    """
    written = document.get("services")
    names = tuple(entry.key for entry in written.entries) if isinstance(written, Table) else ()
    _check_dependencies(suite, written, names, log)
    nodes = {node.at: node for node in items_at(document, "scenarios")}
    titles = [(scenario.name, locate(nodes[scenario.at], "name") or nodes[scenario.at]) for scenario in suite.scenarios]
    require_unique(((name, node.at) for name, node in titles), "scenario", log)
    for scenario in suite.scenarios:
        check_scenario(scenario, nodes[scenario.at], names, log)
        _check_looks(scenario, nodes[scenario.at], document, log)
    if suite.expect is not None:
        faults = tuple(text_at(fault, "id") for node in nodes.values() for fault in items_at(node, "chaos"))
        check_windows(suite.expect, faults, document.get("expect"), log)
    contexts = _Contexts(log, root.resolve(), directory)
    services = tuple(contexts.settled(service, locate(written, service.name)) for service in suite.services)
    return replace(suite, services=services)


def _check_dependencies(suite: Suite, written: Node | None, names: tuple[str, ...], log: ProblemLog) -> None:
    after = {service.name: service.depends_on for service in suite.services}
    for service in suite.services:
        for child in items_at(written, service.name, "depends_on"):
            require(str(getattr(child, "value", "")), child.at, names, "service", log)
    settled: set[str] = set()
    for name in after:
        cycle = _cycle(name, after, settled)
        if cycle:
            at = _dependency_at(written, cycle[0], cycle[1])
            message = f"the services wait for each other: {' -> '.join(cycle)}"
            log.report("dependency-cycle", at, message, expected="an order in which services can start")


def _dependency_at(written: Node | None, service: str, dependency: str) -> Position:
    children = items_at(written, service, "depends_on")
    return next(child.at for child in children if getattr(child, "value", None) == dependency)


def _cycle(start: str, after: dict[str, tuple[str, ...]], settled: set[str]) -> tuple[str, ...]:
    """Return the first cycle reachable from `start` (its first name again at the end), or nothing; grows `settled`."""
    path: list[str] = []
    pending: list[tuple[str, bool]] = [(start, False)]
    while pending:
        name, is_done = pending.pop()
        if is_done:
            path.pop()
            settled.add(name)
        elif name in path:
            settled.update(path)
            return (*path[path.index(name) :], name)
        elif name not in settled:
            path.append(name)
            pending.append((name, True))
            pending += [(dependency, False) for dependency in reversed(after.get(name, ()))]
    return ()


def _check_looks(scenario: Scenario, node: Node, document: Table, log: ProblemLog) -> None:
    """Refuse a scenario that injects faults and never looks at what they did."""
    chaos = locate(node, "chaos")
    if not items_at(chaos) or chaos is None:
        return
    steps = items_at(node, "steps")
    if locate(node, "expect") or document.get("expect") or any(locate(step, "expect") for step in steps):
        return
    message = f"the scenario {shown(scenario.name)} injects faults and expects nothing"
    suggestion = "say what must hold: expect in the scenario, in a step or in the suite"
    log.report("never-looks", chaos.at, message, suggestion=suggestion)


class _Contexts:
    """Settles the paths of build contexts inside the workspace."""

    def __init__(self, log: ProblemLog, root: Path, directory: Path) -> None:
        self._log = log
        self._root = root
        self._directory = directory

    def settled(self, service: Service, node: Node | None) -> Service:
        """Return the service with its build context relative to the workspace; reports one that cannot be used."""
        build = service.build
        written = locate(node, "build", "context")
        if build is None or written is None:
            return service
        context = self._directory / build.context
        if not is_inside(context, self._root):
            self._report("outside", f"the build context {shown(build.context)} leaves the repository", written.at)
            return service
        if not context.is_dir():
            message = f"there is no directory {shown(build.context)} to build {service.name} from"
            self._report("missing-path", message, written.at)
            return service
        self._check_dockerfile(build, context, locate(node, "build", "dockerfile") or written)
        relative = context.resolve().relative_to(self._root).as_posix()
        return replace(service, build=replace(build, context=relative))

    def _check_dockerfile(self, build: Build, context: Path, node: Node) -> None:
        path = context / build.dockerfile
        if not is_inside(path, context):
            self._report("outside", f"the Dockerfile {shown(build.dockerfile)} leaves the build context", node.at)
        elif not path.is_file():
            message = f"there is no file {shown(build.dockerfile)} in the build context {shown(build.context)}"
            self._report("missing-path", message, node.at)

    def _report(self, code: str, message: str, at: Position) -> None:
        self._log.report(code, at, message, got=f"looked in {self._shown_directory()}")

    def _shown_directory(self) -> str:
        inside = self._directory.is_relative_to(self._root)
        relative = self._directory.relative_to(self._root).as_posix() if inside else "."
        return "the workspace" if relative == "." else relative

"""The files and folders that a spec names: they exist, and no link leads out of the repository (spec.md section 2)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cleanroom.spec.discover import is_inside
from cleanroom.spec.mock import CassetteMock, OpenapiMock
from cleanroom.spec.operand import shown
from cleanroom.spec.otel import CollectorConfig
from cleanroom.spec.reference import items_at, locate
from cleanroom.spec.volume import BindVolume

if TYPE_CHECKING:
    from pathlib import Path

    from cleanroom.spec.document import Node, Table
    from cleanroom.spec.expect import Expect, SpanExpectation
    from cleanroom.spec.mock import Mock
    from cleanroom.spec.problem import ProblemLog
    from cleanroom.spec.service import Build, Service
    from cleanroom.spec.source import Position
    from cleanroom.spec.suite import Suite
    from cleanroom.spec.volume import Volume


@dataclass(frozen=True, slots=True)
class Paths:
    """Settles paths of a spec: they are relative to its own `directory` and stay inside the workspace `root`."""

    log: ProblemLog
    root: Path
    """Resolved."""
    directory: Path

    def file(self, written: str, at: Position, what: str) -> str:
        """Return the file relative to the workspace; `written` when it cannot be used, which has been reported."""
        path = self.inside(written, at, what)
        if path is None:
            return written
        if not path.is_file():
            self.missing(f"there is no file {shown(written)} for {what}", at)
            return written
        return self.relative(path)

    def folder(self, written: str, at: Position, what: str) -> str:
        """Return the folder relative to the workspace; `written` when it cannot be used, which has been reported."""
        path = self.inside(written, at, what)
        if path is None:
            return written
        if not path.is_dir():
            self.missing(f"there is no directory {shown(written)} for {what}", at)
            return written
        return self.relative(path)

    def any(self, written: str, at: Position, what: str) -> str:
        """Return the file or folder relative to the workspace; `written` when it cannot be used."""
        path = self.inside(written, at, what)
        if path is None:
            return written
        if not path.is_file() and not path.is_dir():
            self.missing(f"there is no file or directory {shown(written)} for {what}", at)
            return written
        return self.relative(path)

    def output(self, written: str, at: Position, what: str) -> str:
        """Return the file that may be written, relative to the workspace; its folder exists."""
        path = self.inside(written, at, what)
        if path is None:
            return written
        if path.is_dir() or not path.parent.is_dir():
            self.missing(f"there is no directory that could hold {shown(written)} for {what}", at)
            return written
        return self.relative(path)

    def inside(self, written: str, at: Position, what: str) -> Path | None:
        """Return the path with every link followed; None when it leaves the repository, which has been reported."""
        try:
            path = (self.directory / written).resolve()
            inside = is_inside(path, self.root)
        except (OSError, RuntimeError, ValueError):  # a loop of links, a NUL
            self.missing(f"{shown(written)} is no path for {what}", at)
            return None
        if not inside:
            self.report("outside", f"{what} {shown(written)} leaves the repository", at)
            return None
        return path

    def missing(self, message: str, at: Position) -> None:
        """Report that there is no such file."""
        self.report("missing-path", message, at)

    def report(self, code: str, message: str, at: Position) -> None:
        """Report a path that cannot be used, and where it was looked for."""
        inside = self.directory.is_relative_to(self.root)
        relative = self.directory.relative_to(self.root).as_posix() if inside else "."
        looked = "the workspace" if relative == "." else relative
        self.log.report(code, at, message, got=f"looked in {looked}")

    def relative(self, path: Path) -> str:
        """Return a path inside the workspace relative to it, with forward slashes."""
        return path.resolve().relative_to(self.root).as_posix()


def settle(suite: Suite, document: Table, paths: Paths) -> Suite:
    """Return the suite with the paths of its services, contract, collector and schemas relative to the workspace.

    Reports what is missing (`missing-path`) or leaves the repository (`outside`).
    """
    written = document.get("services")
    services = tuple(_service(service, locate(written, service.name), paths) for service in suite.services)
    contract = suite.contracts
    if contract is not None:
        at = _at(document, "contracts", "openapi")
        contract = replace(contract, openapi=paths.file(contract.openapi, at, "the OpenAPI document"))
    otel = suite.otel
    if isinstance(otel.collector, CollectorConfig):
        at = _at(document, "otel", "collector", "config")
        config = paths.file(otel.collector.config, at, "the collector's configuration")
        otel = replace(otel, collector=CollectorConfig(config=config))
    nodes = {node.at: node for node in items_at(document, "scenarios")}
    scenarios = tuple(
        replace(scenario, expect=_expect(scenario.expect, locate(nodes[scenario.at], "expect"), paths))
        for scenario in suite.scenarios
    )
    expect = _expect(suite.expect, document.get("expect"), paths)
    return replace(suite, services=services, contracts=contract, otel=otel, scenarios=scenarios, expect=expect)


def _expect(expect: Expect | None, node: Node | None, paths: Paths) -> Expect | None:
    """Settle the files that hold schemas of attributes."""
    if expect is None or not any(span.schema_file for span in expect.spans):
        return expect
    written = {item.at: item for item in items_at(node, "spans")}
    spans = tuple(
        _schema(span, _at(written[span.at], "schema"), paths) if span.schema_file else span for span in expect.spans
    )
    return replace(expect, spans=spans)


def _schema(span: SpanExpectation, at: Position, paths: Paths) -> SpanExpectation:
    """Take the schemas of attributes from the file that is named instead of them."""
    from cleanroom.spec.checks.schema_file import read_schemas  # noqa: PLC0415 -- few specs name one

    before = len(paths.log.found)
    file = paths.file(span.schema_file, at, "the schema of attributes")
    if len(paths.log.found) > before:
        return span
    schema = read_schemas(paths.root / file, file, paths.log)
    return replace(span, schema_file=file, schema=schema) if schema is not None else span


def _service(service: Service, node: Node | None, paths: Paths) -> Service:
    if node is None:
        return service
    build = service.build and _build(service.build, node, service.name, paths)
    mock = service.mock and _mock(service.mock, node, paths)
    written = {item.at: item for item in items_at(node, "volumes")}
    volumes = tuple(_volume(volume, written[volume.at], paths) for volume in service.volumes)
    return replace(service, build=build, mock=mock, volumes=volumes)


def _build(build: Build, node: Node, service: str, paths: Paths) -> Build:
    at = _at(node, "build", "context")
    context = paths.inside(build.context, at, "the build context")
    if context is None:
        return build
    if not context.is_dir():
        paths.missing(f"there is no directory {shown(build.context)} to build {service} from", at)
        return build
    dockerfile = context / build.dockerfile
    at = at if locate(node, "build", "dockerfile") is None else _at(node, "build", "dockerfile")
    if not is_inside(dockerfile, context):
        paths.report("outside", f"the Dockerfile {shown(build.dockerfile)} leaves the build context", at)
    elif not dockerfile.is_file():
        context_shown = shown(build.context)
        paths.missing(f"there is no file {shown(build.dockerfile)} in the build context {context_shown}", at)
    return replace(build, context=paths.relative(context))


def _volume(volume: Volume, node: Node, paths: Paths) -> Volume:
    if not isinstance(volume, BindVolume):
        return volume
    return replace(volume, source=paths.any(volume.source, _at(node, "source"), "the volume"))


def _mock(mock: Mock, node: Node, paths: Paths) -> Mock:
    if isinstance(mock, OpenapiMock):
        at = _at(node, "mock", "openapi")
        return replace(mock, openapi=paths.file(mock.openapi, at, "the OpenAPI document"))
    if isinstance(mock, CassetteMock):
        at = _at(node, "mock", "cassette")
        settled = paths.output if mock.mode == "record" else paths.file
        return replace(mock, cassette=settled(mock.cassette, at, "the cassette"))
    return mock


def _at(node: Node, *path: str) -> Position:
    found = locate(node, *path)
    return found.at if found is not None else node.at

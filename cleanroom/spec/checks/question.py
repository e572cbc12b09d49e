"""Cross-references of questions: the services that probes, queries and client steps ask, and the files they send."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cleanroom.spec.document import Items, Scalar, Table
from cleanroom.spec.reference import locate, require

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cleanroom.spec.checks.paths import Paths
    from cleanroom.spec.document import Node
    from cleanroom.spec.problem import ProblemLog

_ASKING = ("exec", "run", "http", "tcp", "sql", "redis", "log", "container", "cgroup", "file", "clock")
"""The keys whose mappings name a service; the service of a span is a pattern."""
_DATA = frozenset({"json", "vars", "given", "environment", "env", "parameters", "labels"})
"""Keys under which stands what the spec's author likes."""


def check_question(node: Node | None, services: tuple[str, ...], log: ProblemLog) -> None:
    """Report the services that a probe, a query or a client step asks and that nothing declares."""
    for key in _ASKING:
        asked = locate(node, key, "service")
        if isinstance(asked, Scalar) and isinstance(asked.value, str):
            require(asked.value, asked.at, services, "service", log)


def check_sql_files(document: Node, paths: Paths) -> None:
    """Report the files of SQL that are missing (`missing-path`) or leave the repository (`outside`)."""
    for asked in _sql(document):
        file = asked.get("file")
        if isinstance(file, Scalar) and isinstance(file.value, str) and file.value:
            paths.file(file.value, file.at, "the SQL file")


def _sql(document: Node) -> Iterator[Table]:
    """Yield the mapping under every key `sql` of the language."""
    pending = [document]
    while pending:
        node = pending.pop()
        if isinstance(node, Items):
            pending += node.items
        elif isinstance(node, Table):
            for entry in node.entries:
                if entry.key == "sql" and isinstance(entry.value, Table):
                    yield entry.value
                if entry.key not in _DATA:
                    pending.append(entry.value)

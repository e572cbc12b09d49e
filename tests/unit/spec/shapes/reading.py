"""Reading one value of the language from YAML text, as tests of shapes do it."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass

from cleanroom.spec.document import Entry, Items, Scalar, Table, read_document
from cleanroom.spec.problem import ProblemLog
from cleanroom.spec.shapes.place import Place, RefusedError
from cleanroom.spec.templates.runtime_text import Expression, RuntimeText

FILE = "x.cleanroom.yaml"
_RUNTIME = re.compile(r"\{\{ (\w+) \}\}")


@dataclass(frozen=True, kw_only=True)
class Reading:
    value: object
    problems: tuple
    deferred: tuple

    @property
    def found(self):
        """The problems as (code, line, column); a value begins at line 2, column 2."""
        return [(problem.code, problem.at.line, problem.at.column) for problem in self.problems]

    @property
    def codes(self):
        return [problem.code for problem in self.problems]


def node_of(source):
    """Return the node that `source` spells as the value of a key, its first character at line 2, column 2."""
    log = ProblemLog(FILE)
    text = "a:\n" + "\n".join(f" {line}" for line in source.split("\n"))
    table = read_document(f"{text}\n", log)
    assert not log.sorted()
    return _running(table.get("a"))


def _running(node):
    """Return the node with templates of run-time names as the loader leaves them."""
    if isinstance(node, Items):
        return dataclasses.replace(node, items=tuple(_running(item) for item in node.items))
    if isinstance(node, Table):
        entries = tuple(Entry(key=e.key, at=e.at, value=_running(e.value)) for e in node.entries)
        return dataclasses.replace(node, entries=entries)
    names = _RUNTIME.findall(node.text) if isinstance(node, Scalar) else []
    if not names:
        return node
    expression = Expression(source=names[0], names=frozenset(names), bindings={})
    return dataclasses.replace(node, value=RuntimeText(node.text, (expression,)))


def read(shape, source, *, path="it", belongs=None):
    log = ProblemLog(FILE)
    try:
        value = shape(node_of(source), Place(log, path, belongs or {}))
    except RefusedError:
        value = None
        assert log.sorted(), "refused, and nothing was said"
    return Reading(value=value, problems=log.sorted(), deferred=log.unavailable())


def accepted(shape, source, **options):
    """Return the value of what must be right."""
    reading = read(shape, source, **options)
    assert not reading.problems, reading.problems
    return reading.value


def deferred(shape, source, **options):
    """Return what `run` cannot carry out of what must be right, as (column, the quoted word)."""
    reading = read(shape, source, **options)
    assert not reading.problems, reading.problems
    return [(problem.at.column, problem.message.split(" is part of")[0]) for problem in reading.deferred]

"""Templates in scalar values (spec.md section 1): what names mean, and where in a scalar expressions stand."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cleanroom.spec.discover import is_inside
from cleanroom.spec.document import Entry, Items, Node, Scalar, Table, plain
from cleanroom.spec.expression import (
    LARGEST_LIST,
    LARGEST_RESULT,
    ExpressionError,
    UnknownNameError,
    evaluate,
    names_in,
    to_json,
)
from cleanroom.spec.operand import shown
from cleanroom.spec.problem import ProblemLog, nearest
from cleanroom.spec.source import Position

if TYPE_CHECKING:
    from pathlib import Path

DEFAULT_SEED = 42
MOST_EXPRESSIONS = 5000
MOST_OUTPUT = 8 * 1024 * 1024
VARIABLE_PREFIX = "CLEANROOM_VAR_"
_BROKEN = object()
"""The value of an expression that could not be evaluated; it has been reported."""
LATER = frozenset({"matrix", "iteration", "replica", "peers", "captured", "worker", "operation", "example"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What expressions may refer to; see `load_suite`."""

    variables: Mapping[str, str]
    environment: Mapping[str, str]
    seed: int | None
    root: Path
    directory: Path


def render(document: Table, names: Names, log: ProblemLog) -> Table:
    """Return the document with every template replaced by its value; what cannot be rendered is reported."""
    renderer = _Renderer(names, log)
    renderer.declare(document)
    rendered = renderer.node(document)
    if not isinstance(rendered, Table):
        raise TypeError("a mapping renders to a mapping")
    return rendered


class _Renderer:
    """Renders one document; counts expressions and output against their bounds."""

    def __init__(self, names: Names, log: ProblemLog) -> None:
        self._names = names
        self._log = log
        self._expressions = 0
        self._output = 0
        self._variables: dict[str, object] = dict(names.variables)
        self._known: dict[str, object] = {
            "vars": self._variables,
            "seed": DEFAULT_SEED if names.seed is None else names.seed,
            "env": _function(self._env),
            "sha256": _function(_sha256),
            "file": _function(self._file),
            "range": _function(_range),
            "to_json": _function(to_json),
        }

    def declare(self, document: Table) -> None:
        """Settle the variables and the seed: given ones, then the spec's `vars` in order, then the environment."""
        for name, value in self._names.environment.items():
            if name.startswith(VARIABLE_PREFIX):
                self._variables.setdefault(name.removeprefix(VARIABLE_PREFIX), value)
        declared = document.get("vars")
        if isinstance(declared, Table):
            for entry in declared.entries:
                self._declare(entry)
        determinism = document.get("determinism")
        if self._names.seed is None and isinstance(determinism, Table):
            seed = determinism.get("seed")
            seed = self.node(seed) if seed else None
            if isinstance(seed, Scalar) and isinstance(seed.value, int) and not isinstance(seed.value, bool):
                self._known["seed"] = seed.value

    def _declare(self, entry: Entry) -> None:
        given = self._names.variables.get(entry.key)
        if isinstance(entry.value, Scalar) and entry.value.value is None:
            return
        if given is None:
            self._variables[entry.key] = plain(self.node(entry.value))
        elif isinstance(entry.value, Scalar) and not isinstance(entry.value.value, str):
            self._variables[entry.key] = self._typed(entry, given)

    def _typed(self, entry: Entry, given: str) -> object:
        """Return a variable given as text in the type that the spec declares."""
        declared = entry.value.value if isinstance(entry.value, Scalar) else None
        try:
            if isinstance(declared, bool):
                return {"true": True, "false": False}[given]
            return int(given) if isinstance(declared, int) else float(given)
        except (KeyError, ValueError):
            kind = "true or false" if isinstance(declared, bool) else "a number, as the spec declares it"
            message = f"the variable {shown(entry.key)} was given as {shown(given)}"
            self._log.report("wrong-value", entry.at, message, expected=kind)
            return declared

    def node(self, node: Node) -> Node:
        """Return `node` rendered; nodes without templates are kept as they are."""
        if isinstance(node, Scalar):
            return self._scalar(node) if isinstance(node.value, str) and "{{" in node.value else node
        if isinstance(node, Items):
            items = tuple(self.node(item) for item in node.items)
            same = all(new is old for new, old in zip(items, node.items, strict=True))
            return node if same else Items(items=items, at=node.at, size=node.size)
        entries = tuple(
            entry if value is entry.value else Entry(key=entry.key, at=entry.at, value=value)
            for entry, value in ((entry, self.node(entry.value)) for entry in node.entries)
        )
        same = all(new is old for new, old in zip(entries, node.entries, strict=True))
        return node if same else Table(entries=entries, at=node.at, size=node.size)

    def _scalar(self, node: Scalar) -> Node:
        text = str(node.value)
        try:
            parts = split(text)
        except ExpressionError as err:
            self._log.report("template", node.at, str(err), expected="{{ expression }}")
            return _broken(node)
        values = [(part, offset, self._value(part, offset, node) if is_expression else part)
                  for part, offset, is_expression in parts]  # fmt: skip
        if any(value is _BROKEN for _, _, value in values):
            return _broken(node)
        if len(values) == 1 and parts[0][2]:
            return _as_node(values[0][2], node.at)
        rendered = "".join(_text(value) for _, _, value in values)
        self._count(len(rendered), node.at)
        return Scalar(value=rendered, text=rendered, at=node.at, quoted=True)

    def _value(self, expression: str, offset: int, node: Scalar) -> object:
        at = _position(node, offset, self._log)
        self._expressions += 1
        if self._expressions > MOST_EXPRESSIONS:
            self._log.report("template", at, f"more than {MOST_EXPRESSIONS} expressions")
            return _BROKEN
        try:
            for name in sorted(names_in(expression)):
                if name not in self._known:
                    self._unknown(name, at)
                    return _BROKEN
            value = evaluate(expression, self._known)
        except UnknownNameError as err:
            wanted = expression.strip().removeprefix("vars.")
            known = wanted.isidentifier() and wanted != expression.strip()
            reason = f"there is no variable {wanted}" if known else str(err)
            message = f"{shown(expression.strip())}: {reason}"
            self._log.report("unknown-variable", at, message, suggestion=self._close(expression))
            return _BROKEN
        except ExpressionError as err:
            self._log.report("template", at, f"{shown(expression.strip())}: {err}")
            return _BROKEN
        self._count(len(value) if isinstance(value, str) else 1, at)
        return value

    def _count(self, size: int, at: Position) -> None:
        self._output += size
        if self._output > MOST_OUTPUT:
            self._log.report("template", at, "templates make the file too large", expected="at most 8 MiB")

    def _unknown(self, name: str, at: Position) -> None:
        if name in LATER:
            message = f"the name {name} is part of the language but not available in this version"
            self._log.report("not-available", at, message)
            return
        suggestion = f"did you mean vars.{name}?" if name in self._variables else ""
        close = nearest(name, self._known)
        suggestion = suggestion or (f"did you mean {close}?" if close else "")
        expected = ", ".join(sorted(self._known))
        message = f"there is no name {shown(name)} in templates"
        self._log.report("unknown-name", at, message, expected=expected, suggestion=suggestion)

    def _close(self, expression: str) -> str:
        wanted = expression.strip().removeprefix("vars.")
        if not wanted.isidentifier() or wanted == expression.strip():
            return ""
        close = nearest(wanted, self._variables)
        return f"did you mean vars.{close}?" if close else "declare it in vars, or give it with --var NAME=VALUE"

    def _env(self, name: str, default: object = None) -> object:
        if name in self._names.environment:
            return self._names.environment[name]
        if default is None:
            raise UnknownNameError(f"the environment has no {shown(name)}, or it was not allowed (--allow-env)")
        return default

    def _file(self, path: str) -> str:
        place = self._names.directory / str(path)
        if not is_inside(place, self._names.root):
            raise ExpressionError(f"{shown(path)} lies outside the repository")
        try:
            with place.open("rb") as file:
                data = file.read(LARGEST_RESULT + 1)
            if len(data) > LARGEST_RESULT:
                raise ExpressionError(f"{shown(path)} is larger than {LARGEST_RESULT} bytes")
            return data.decode("utf-8")
        except OSError as err:
            raise ExpressionError(f"{shown(path)} cannot be read: {err.strerror}") from err
        except UnicodeDecodeError as err:
            raise ExpressionError(f"{shown(path)} is not UTF-8 text") from err


def split(text: str) -> list[tuple[str, int, bool]]:
    """Split `text` into (part, offset, whether it is an expression); raises ExpressionError for one without an end."""
    parts: list[tuple[str, int, bool]] = []
    start = 0
    while (begin := text.find("{{", start)) >= 0:
        if begin > start:
            parts.append((text[start:begin], start, False))
        end = _end(text, begin + 2)
        parts.append((text[begin + 2 : end], begin, True))
        start = end + 2
    if start < len(text):
        parts.append((text[start:], start, False))
    return parts


def _end(text: str, start: int) -> int:
    """Return where the expression ends that begins at `start`: quotes and inner braces do not end it."""
    quote = ""
    depth = 0
    index = start
    while index < len(text):
        character = text[index]
        if quote:
            if character == "\\":
                index += 1
            elif character == quote:
                quote = ""
        elif character in "'\"":
            quote = character
        elif character == "{":
            depth += 1
        elif character == "}":
            if depth == 0 and text.startswith("}}", index):
                return index
            depth -= 1
        index += 1
    raise ExpressionError("an expression begins with {{ and has no end")


def _function(function: Callable[..., object]) -> Callable[..., object]:
    def call(*arguments: object, **named: object) -> object:
        return function(*arguments, **named)

    call.cleanroom_function = True  # type: ignore[attr-defined]  # the sandbox calls nothing without this mark
    return call


def _sha256(text: object) -> str:
    return hashlib.sha256(str(text).encode("utf-8", "surrogatepass")).hexdigest()


def _range(*bounds: int) -> list[int]:
    numbers = range(*bounds)
    if len(numbers) > LARGEST_LIST:
        raise ExpressionError(f"range has more than {LARGEST_LIST} items")
    return list(numbers)


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, (list, dict, bool)) or value is None:
        return to_json(value)
    return str(value)


def _broken(node: Scalar) -> Scalar:
    return Scalar(value="", text="", at=node.at, quoted=True, broken=True)


def _position(node: Scalar, offset: int, log: ProblemLog) -> Position:
    before = str(node.value)[:offset]
    if node.block:
        line = node.at.line + 1 + before.count("\n")
        written = log.lines[line - 1] if line <= len(log.lines) else ""
        indent = max(0, len(written) - len(str(node.value).split("\n")[before.count("\n")]))
        return Position(node.at.file, line, indent + len(before) - before.rfind("\n"))
    if "\n" in str(node.value):
        return node.at
    return Position(node.at.file, node.at.line, node.at.column + offset + node.quoted)


def _as_node(value: Any, at: Position) -> Node:  # noqa: ANN401 -- plain by `checked`
    if isinstance(value, list):
        items = tuple(_as_node(item, at) for item in value)
        return Items(items=items, at=at, size=1 + sum(item.size for item in items))
    if isinstance(value, dict):
        entries = tuple(Entry(key=key, at=at, value=_as_node(item, at)) for key, item in value.items())
        return Table(entries=entries, at=at, size=1 + sum(1 + entry.value.size for entry in entries))
    return Scalar(value=value, text=_text(value), at=at, quoted=isinstance(value, str))

"""Templates in scalar values (spec.md section 1): where in a scalar expressions stand, and what they make of it.

What only a running scenario knows (`captured`, `worker`, …) stays an expression: the scalar becomes a RuntimeText, and
whoever reads it says whether such a text may stand there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cleanroom.spec.document import MOST_NODES, Entry, Items, Node, Scalar, Table, kind, plain
from cleanroom.spec.operand import shown
from cleanroom.spec.source import Position
from cleanroom.spec.templates.expression import (
    ExpressionError,
    TooMuchWorkError,
    UnknownNameError,
    Work,
    check_expression,
    evaluate,
    members_in,
    names_in,
    text_of,
)
from cleanroom.spec.templates.names import (
    DEFAULT_SEED,
    PURE_FUNCTIONS,
    Names,
    report_member,
    report_unknown,
)
from cleanroom.spec.templates.runtime_text import RUNTIME_NAMES, Expression, RuntimeText

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cleanroom.spec.problem import ProblemLog

MOST_EXPRESSIONS = 5000
MOST_SOURCE = 48 * 1024
"""Characters of all expressions of a file: what compiling them may cost."""
_BROKEN = object()
"""The value of an expression that could not be evaluated; it has been reported."""
_TYPES: dict[type, str] = {bool: "true or false", int: "a whole number", float: "a number"}

__all__ = ["DEFAULT_SEED", "Names", "render", "render_node", "split"]


def render(document: Table, names: Names, log: ProblemLog, work: Work | None = None) -> Table:
    """Return the document with every template replaced by its value; what cannot be rendered is reported.

    `work` is what has been spent of this file's budget already.
    """
    renderer = _Renderer(names, log, work)
    renderer.declare(document)
    rendered = renderer.node(document)
    if not isinstance(rendered, Table):
        raise TypeError("a mapping renders to a mapping")
    return rendered


def render_node(node: Node, document: Table, names: Names, log: ProblemLog, muted: ProblemLog) -> Node:
    """Return one part of the document rendered; what is wrong with the variables it does not need goes to `muted`."""
    renderer = _Renderer(names, muted)
    renderer.declare(document)
    renderer.log = log
    renderer.forgive()
    return renderer.node(node)


class _Renderer:
    """Renders one document; counts expressions and work against their bounds."""

    def __init__(self, names: Names, log: ProblemLog, work: Work | None = None) -> None:
        self.log = log
        self._names = names
        self._work = work or Work()
        self._exhausted = False
        self._expressions = 0
        self._source = 0
        self._nodes = 0
        self._variables: dict[str, object] = {}
        self._failed: set[str] = set()
        self._unsettled: dict[str, str] = {}
        self._known = names.known(self._variables)
        # An anchor's node is rendered once, however many aliases it has; the nodes are kept, so ids stay their own.
        self._done: dict[int, tuple[Node, Node]] = {}

    def declare(self, document: Table) -> None:
        """Settle the variables and the seed: given ones, then the spec's `vars` in order, then the environment."""
        self._variables.update(self._names.given())
        declared = document.get("vars")
        if isinstance(declared, Table):
            unsettled = dict.fromkeys((entry.key for entry in declared.entries), "later")
            self._unsettled = unsettled
            for entry in declared.entries:
                self._declare(entry)
                unsettled[entry.key] = "null"
        determinism = document.get("determinism")
        if self._names.seed is None and isinstance(determinism, Table):
            seed = determinism.get("seed")
            seed = self.node(seed) if seed else None
            if isinstance(seed, Scalar) and isinstance(seed.value, int) and not isinstance(seed.value, bool):
                self._known["seed"] = seed.value

    def forgive(self) -> None:
        """Take variables that could not be evaluated for undeclared: their problems went to another log."""
        self._failed.clear()
        self._done.clear()

    def _declare(self, entry: Entry) -> None:
        given = self._names.variables.get(entry.key)
        if isinstance(entry.value, Scalar) and entry.value.value is None:
            return
        rendered = self.node(entry.value)
        late = next(_runtime_scalars(rendered), None)
        if late is not None:
            message = f"the variable {shown(entry.key)} must be known before the run"
            self.log.report("known-too-late", late.at, message, got=shown(late.value))
        if late is not None or any(part.broken for part in _scalars(rendered)):
            # Reported where it stands; those who use the variable need not hear of it again.
            self._failed.add(entry.key)
            return
        value = plain(rendered)
        self._variables[entry.key] = value if given is None else self._typed(entry, value, given)

    def _typed(self, entry: Entry, declared: object, given: str) -> object:
        """Return a variable given as text in the type that the spec declares."""
        if isinstance(declared, str):
            return given
        try:
            if isinstance(declared, bool):
                value: object = {"true": True, "false": False}[given]
            elif isinstance(declared, (int, float)):
                value = int(given) if isinstance(declared, int) else float(given)
            else:
                value = json.loads(given)
        except (KeyError, ValueError, RecursionError):
            value = None
        if type(value) is not type(declared):
            words = _TYPES.get(type(declared), f"{kind(entry.value)} as JSON")
            message = f"the variable {shown(entry.key)} was given as {shown(given)}"
            self.log.report("wrong-value", entry.at, message, expected=f"{words}, as the spec declares it")
            return declared
        return value

    def node(self, node: Node) -> Node:
        """Return `node` rendered; nodes without templates are kept as they are."""
        if isinstance(node, Scalar):
            if not isinstance(node.value, str) or "{{" not in node.value:
                return node
        elif id(node) in self._done:
            return self._done[id(node)][1]
        rendered = self._scalar(node) if isinstance(node, Scalar) else self._inner(node)
        self._done[id(node)] = (node, rendered)
        return rendered

    def _inner(self, node: Items | Table) -> Node:
        if isinstance(node, Items):
            items = tuple(self.node(item) for item in node.items)
            if all(new is old for new, old in zip(items, node.items, strict=True)):
                return node
            return Items(items=items, at=node.at, size=self._sized(1 + sum(item.size for item in items), node.at))
        entries = []
        for entry in node.entries:
            if "{{" in entry.key:
                self.log.report(
                    "template", entry.at, "a key cannot be a template", expected="a fixed key", got=shown(entry.key),
                    suggestion="templates stand in values; a key that varies needs a whole-file template (.j2)",
                )  # fmt: skip
            value = self.node(entry.value)
            entries.append(entry if value is entry.value else Entry(key=entry.key, at=entry.at, value=value))
        if all(new is old for new, old in zip(entries, node.entries, strict=True)):
            return node
        size = self._sized(1 + sum(1 + entry.value.size for entry in entries), node.at)
        return Table(entries=tuple(entries), at=node.at, size=size)

    def _sized(self, size: int, at: Position) -> int:
        if size > MOST_NODES:
            self._exhaust(at, "templates make the file too large", expected=f"at most {MOST_NODES} values")
        return size

    def _exhaust(self, at: Position, message: str, expected: str = "") -> None:
        """Report once that a bound of the whole file was met: nothing more is evaluated."""
        if not self._exhausted:
            self.log.report("template", at, message, expected=expected)
        self._exhausted = True

    def _scalar(self, node: Scalar) -> Node:
        text = str(node.value)
        try:
            parts = split(text)
        except ExpressionError as err:
            self.log.report("template", node.at, str(err), expected="{{ expression }}")
            return _broken(node)
        values = [self._value(part, offset, node) if is_expression else part for part, offset, is_expression in parts]
        if any(value is _BROKEN for value in values):
            return _broken(node)
        if any(isinstance(value, Expression) for value in values):
            return self._open(text, values, node)
        if len(values) == 1 and parts[0][2]:
            return self._as_node(values[0], node.at)
        rendered = "".join(text_of(value) for value in values)
        return Scalar(value=rendered, text=rendered, at=node.at, quoted=True)

    def _open(self, text: str, values: list[object], node: Scalar) -> Scalar:
        """Return the scalar that waits for the run: what is known already is text in it."""
        parts: list[str | Expression] = []
        for value in values:
            if isinstance(value, Expression):
                parts.append(value)
            elif parts and isinstance(parts[-1], str):
                parts[-1] += text_of(value)
            else:
                parts.append(text_of(value))
        late = RuntimeText(text, tuple(parts))
        return Scalar(value=late, text=late, at=node.at, block=node.block, quoted=True)

    def _value(self, expression: str, offset: int, node: Scalar) -> object:
        if self._exhausted:
            return _BROKEN
        at = _position(node, offset, self.log)
        self._expressions += 1
        self._source += len(expression)
        if self._expressions > MOST_EXPRESSIONS or self._source > MOST_SOURCE:
            bound = f"at most {MOST_EXPRESSIONS} of them, with {MOST_SOURCE} characters"
            self._exhaust(at, "the file has too many expressions", expected=bound)
            return _BROKEN
        try:
            return self._evaluate(expression, at)
        except TooMuchWorkError as err:
            self._exhaust(at, str(err))
        except UnknownNameError as err:
            self._missing(expression, err, at)
        except ExpressionError as err:
            self.log.report("template", at, f"{shown(expression.strip())}: {err}")
        return _BROKEN

    def _evaluate(self, expression: str, at: Position) -> object:
        used = names_in(expression)
        if used & self._names.broken:
            return _BROKEN
        unknown = sorted(used - self._known.keys() - set(RUNTIME_NAMES))
        for name in unknown:
            report_unknown(name, self._known, at, self.log, whole=False)
        if unknown or any(name == "vars" and key in self._failed for name, key in members_in(expression)):
            return _BROKEN
        late = used & set(RUNTIME_NAMES)
        if not late:
            value = evaluate(expression, self._known, self._work)
            if isinstance(value, str):
                self._work.write(len(value))
            return value
        check_expression(expression)
        fixed = used - late - set(PURE_FUNCTIONS)
        if fixed & {"env", "file"}:
            raise ExpressionError(
                f"env and file are read before the run, {', '.join(sorted(late))} is known during it: "
                "give what they return a name in vars"
            )
        for member in members_in(expression):
            if report_member(member, self._known, at, self.log, unsettled=self._unsettled):
                return _BROKEN
        bindings = {name: dict(self._variables) if name == "vars" else self._known[name] for name in sorted(fixed)}
        return Expression(expression.strip(), frozenset(late), bindings)

    def _missing(self, expression: str, err: ExpressionError, at: Position) -> None:
        for member in members_in(expression):
            if report_member(member, self._known, at, self.log, unsettled=self._unsettled):
                return
        self.log.report("unknown-variable", at, f"{shown(expression.strip())}: {err}")

    def _as_node(self, value: Any, at: Position) -> Node:  # noqa: ANN401 -- plain by `checked`
        """Return the node of a value; all values that templates make count against the bound of the file."""
        self._nodes += 1
        if self._nodes > MOST_NODES:
            self._exhaust(at, "templates make the file too large", expected=f"at most {MOST_NODES} values")
            return Scalar(value="", text="", at=at, broken=True)
        if isinstance(value, list):
            items = tuple(self._as_node(item, at) for item in value)
            return Items(items=items, at=at, size=1 + sum(item.size for item in items))
        if isinstance(value, Mapping):
            entries = tuple(Entry(key=key, at=at, value=self._as_node(item, at)) for key, item in value.items())
            return Table(entries=entries, at=at, size=1 + sum(1 + entry.value.size for entry in entries))
        return Scalar(value=value, text=text_of(value), at=at, quoted=isinstance(value, str))


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


def _runtime_scalars(node: Node) -> Iterator[Scalar]:
    return (part for part in _scalars(node) if isinstance(part.value, RuntimeText))


def _scalars(node: Node) -> Iterator[Scalar]:
    pending = [node]
    while pending:
        part = pending.pop()
        if isinstance(part, Scalar):
            yield part
        else:
            pending += part.items if isinstance(part, Items) else [entry.value for entry in part.entries]


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

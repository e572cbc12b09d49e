"""Specs that are templates as a whole (`*.cleanroom.yaml.j2`, spec.md section 1): rendered, and then read.

Every character that a template writes knows the line and column of the template that it comes from, so that positions
of the YAML in it are positions of the template.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from cleanroom.spec.document import LARGEST_FILE, LINE_END, UnreadableError, read_document
from cleanroom.spec.operand import shown
from cleanroom.spec.problem import nearest
from cleanroom.spec.source import Position
from cleanroom.spec.templates.expression import ExpressionError, UnknownNameError, Work, members_of, wording, working
from cleanroom.spec.templates.names import Names, report_member, report_unknown

if TYPE_CHECKING:
    from types import TracebackType

    from jinja2 import nodes

    from cleanroom.spec.document import Table
    from cleanroom.spec.problem import ProblemLog
    from cleanroom.spec.templates.sandbox import Sandbox

SUFFIX = ".j2"
_MACRO = re.compile(r"\{%-? macro ([a-z]\w*)\(")
LARGEST_TEMPLATE = 256 * 1024
MOST_SYNTAX = 20_000
"""Nodes of a template's syntax: what compiling it may cost."""
DEEPEST_SYNTAX = 60


@dataclass(frozen=True, slots=True)
class Piece:
    """`length` characters of output that begin at a line and column of the template."""

    length: int
    line: int
    column: int
    verbatim: bool
    """Whether the characters stand in the template one by one; otherwise all come from that place."""


@dataclass(frozen=True, slots=True)
class Output:
    """What a template wrote, and where from."""

    text: str
    pieces: tuple[Piece, ...]
    starts: tuple[int, ...]
    """For each piece, the offset of its first character."""
    lines: tuple[int, ...]
    """For each line of `text`, the offset of its first character."""

    def origin(self, line: int, column: int) -> tuple[int, int]:
        """Return the line and column of the template from which a place of the output comes."""
        if not self.pieces:
            return 1, 1
        offset = min(self.lines[min(line, len(self.lines)) - 1] + column - 1, max(0, len(self.text) - 1))
        index = max(0, bisect_right(self.starts, offset) - 1)
        piece = self.pieces[index]
        if not piece.verbatim:
            return piece.line, piece.column
        before = self.text[self.starts[index] : offset]
        newlines = before.count("\n")
        return piece.line + newlines, len(before) - before.rfind("\n") if newlines else piece.column + len(before)


@dataclass(slots=True)
class _Position:
    """The place in the template at which its syntax tree is being looked at."""

    source: str
    starts: list[int] = field(default_factory=list)
    offset: int = 0

    def __post_init__(self) -> None:
        self.starts = [0, *(index + 1 for index, character in enumerate(self.source) if character == "\n")]

    def find(self, text: str, line: int) -> tuple[int, int]:
        """Return line and column of the next `text`, not before `line`; best effort."""
        at = self.source.find(text, max(self.offset, self.starts[min(line, len(self.starts)) - 1]))
        if at < 0:
            return line, 1
        self.offset = at + len(text)
        found = bisect_right(self.starts, at)
        return found, at - self.starts[found - 1] + 1


def read_whole_file(source: str, names: Names, log: ProblemLog, work: Work) -> Table:
    """Return the document that a template renders to; its positions are the template's.

    The spec's own `vars` and `matrix` are not known while it is rendered: they are part of what it writes. Reports
    what is wrong and raises UnreadableError when there is no document.
    """
    source = source.replace("\r\n", "\n").replace("\r", "\n")
    log.lines = source.split("\n")
    document = _read(source, names, log, work)
    seed = _declared_seed(document)
    if names.seed is not None or seed is None or seed == names.known({})["seed"] or "seed" not in source:
        return document
    # The template sees the seed that the spec it writes declares.
    again = _read(source, names.with_seed(seed), log, work)
    if _declared_seed(again) != seed:
        at = again.get("determinism")
        log.report("contradiction", at.at if at else again.at, "determinism.seed depends on the seed")
    return again


def _read(source: str, names: Names, log: ProblemLog, work: Work) -> Table:
    output = _render(source, names, log, work)

    def place(line: int, column: int) -> Position:
        return Position(log.file, *output.origin(line, column))

    return read_document(output.text, log, place)


def _declared_seed(document: Table) -> int | None:
    from cleanroom.spec.reference import locate  # noqa: PLC0415 -- only templates of whole files need it

    seed = getattr(locate(document, "determinism", "seed"), "value", None)
    return seed if isinstance(seed, int) and not isinstance(seed, bool) else None


def _render(source: str, names: Names, log: ProblemLog, work: Work) -> Output:
    from cleanroom.spec.templates.origin import Origins  # noqa: PLC0415 -- imports jinja2
    from cleanroom.spec.templates.sandbox import BuiltInLoader, Sandbox  # noqa: PLC0415

    origins = Origins(_Position(source))
    sandbox = Sandbox(loader=BuiltInLoader(macro_file), trace=origins)
    tree = _parse(source, sandbox, log)
    known = names.known(names.given())
    if not _check_names(tree, known, log):
        raise UnreadableError
    work.spend(origins.cost(tree))
    chunks: list[str] = []

    def render() -> None:
        template = sandbox.from_string(tree)
        context = template.new_context(dict(known))
        length = 0
        for chunk in template.root_render_func(context):
            length += len(chunk)
            if length > LARGEST_FILE:
                raise ExpressionError(f"the template writes more than {LARGEST_FILE} characters")
            chunks.append(chunk)

    try:
        working(work, render)
    except ExpressionError as err:
        line = _line_of(err.__cause__ or err) or _line_of(err) or 1
        if not isinstance(err, UnknownNameError):
            log.report("template", _start(line, log), str(err))
        elif not _report_missing(tree, err, line, known, log):
            log.report("unknown-variable", _start(line, log), str(err))
        raise UnreadableError from err
    text, pieces = origins.gather(chunks)
    starts, offset = [], 0
    for piece in pieces:
        starts.append(offset)
        offset += piece.length
    lines = (0, *(match.end() for match in LINE_END.finditer(text)))
    return Output(text, tuple(pieces), tuple(starts), lines)


def _parse(source: str, sandbox: Sandbox, log: ProblemLog) -> nodes.Template:
    from jinja2 import TemplateSyntaxError  # noqa: PLC0415

    at = Position(log.file, 1, 1)
    if len(source) > LARGEST_TEMPLATE:
        log.report(
            "too-large", at, "the template is too large", expected="at most 256 KiB", got=f"{len(source)} characters"
        )
        raise UnreadableError
    try:
        tree = sandbox.parse(source)
    except TemplateSyntaxError as err:
        log.report("template", _start(err.lineno, log), wording(err))
        raise UnreadableError from err
    except (RecursionError, MemoryError, ValueError) as err:
        log.report("template", at, "the template is nested too deeply")
        raise UnreadableError from err
    _check_size(tree, log)
    return tree


def _check_size(tree: nodes.Template, log: ProblemLog) -> None:
    """Refuse a template that would cost too much to compile, before anything walks it recursively."""
    count = 0
    pending: list[tuple[nodes.Node, int]] = [(tree, 0)]
    while pending:
        node, depth = pending.pop()
        count += 1
        if depth > DEEPEST_SYNTAX:
            log.report("template", _start(node.lineno, log), "the template is nested too deeply")
            raise UnreadableError
        if count > MOST_SYNTAX:
            at = Position(log.file, 1, 1)
            log.report("too-large", at, "the template is too large", expected=f"at most {MOST_SYNTAX} parts of syntax")
            raise UnreadableError
        pending.extend((child, depth + 1) for child in node.iter_child_nodes())


def _check_names(tree: nodes.Template, known: Mapping[str, object], log: ProblemLog) -> bool:
    """Whether the template uses known names only; each other one is reported at its line."""
    from jinja2 import TemplateSyntaxError, meta, nodes  # noqa: PLC0415

    from cleanroom.spec.templates.sandbox import BUILT_IN  # noqa: PLC0415 -- imports jinja2

    try:
        unknown = meta.find_undeclared_variables(tree) - known.keys()
    except TemplateSyntaxError as err:
        log.report("template", _start(err.lineno, log), wording(err))
        return False
    except RecursionError:
        log.report("template", Position(log.file, 1, 1), "the template is nested too deeply")
        return False
    for node in tree.find_all(nodes.Name):
        if node.name in unknown:
            report_unknown(node.name, known, _at(node.lineno, node.name, log), log, whole=True)
    imported = [
        (name[0] if isinstance(name, tuple) else name, node.lineno)
        for node in tree.find_all(nodes.FromImport)
        if isinstance(node.template, nodes.Const) and node.template.value == BUILT_IN
        for name in node.names
    ]
    missing = [(name, line) for name, line in imported if name not in macros()]
    for name, line in missing:
        close = nearest(name, macros())
        suggestion = f"did you mean {close}?" if close else ""
        message = f"cleanroom.j2 has no macro {shown(name)}"
        log.report(
            "unknown-name", _at(line, name, log), message, expected=", ".join(macros()), suggestion=suggestion
        )  # fmt: skip
    return not unknown and not missing


def _report_missing(
    tree: nodes.Template, err: UnknownNameError, line: int, known: Mapping[str, object], log: ProblemLog
) -> bool:
    """Report the variable that an expression wanted and nobody gave; False when that was not what failed.

    `line` is that of the expression, whose parts may stand on later ones.
    """
    return any(
        report_member((name, key), known, _at(lineno, key, log), log, whole=True)
        for name, key, lineno in sorted(members_of(tree), key=lambda member: member[2])
        if lineno >= line and shown(key) in str(err)
    )


def _line_of(err: BaseException) -> int:
    """Return the line of the spec's template in which an error arose; 0 when it arose in none."""
    # A SyntaxError of Python's counts the lines of the code that the template was compiled to.
    line = 0 if isinstance(err, SyntaxError) else getattr(err, "lineno", 0) or 0
    trace: TracebackType | None = err.__traceback__
    while trace is not None:
        template = trace.tb_frame.f_globals.get("__jinja_template__")
        if template is not None and template.name is None:
            line = template.get_corresponding_lineno(trace.tb_lineno)
        trace = trace.tb_next
    return int(line)


def _start(line: int, log: ProblemLog) -> Position:
    """Return where a line's text begins."""
    text = log.lines[line - 1] if 0 < line <= len(log.lines) else ""
    return Position(log.file, line, len(text) - len(text.lstrip()) + 1)


def _at(line: int, word: str, log: ProblemLog) -> Position:
    """Return where a word stands in a line; the line's begin when it does not."""
    text = log.lines[line - 1] if 0 < line <= len(log.lines) else ""
    column = text.find(word)
    return Position(log.file, line, column + 1) if column >= 0 else _start(line, log)


@cache
def macros() -> tuple[str, ...]:
    """Return the names of the built-in macros."""
    return tuple(_MACRO.findall(macro_file()))


def macro_file() -> str:
    """Return the text of the built-in macro file."""
    return files("cleanroom.spec.templates").joinpath("cleanroom.j2").read_text(encoding="utf-8")

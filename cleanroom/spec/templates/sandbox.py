"""The sandbox of templates: Jinja2 that cannot reach Python, and that counts what it does before it does it.

No attribute or method of any Python object is reachable: `a.b` is a key of a mapping, and only functions handed in and
macros can be called. The syntax tree is rewritten before it is compiled: loops pay for all of their rounds when they
begin, macros when they are called, and every operation that touches a list or text pays for its size. Work is counted
and never timed, so that a spec is refused on every machine or on none.

Imports Jinja2: to be imported only where there is a template.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MethodType
from typing import TYPE_CHECKING, Any, Protocol

from jinja2 import BaseLoader, StrictUndefined, TemplateAssertionError, TemplateNotFound, TemplateSyntaxError, nodes
from jinja2.environment import TemplateModule
from jinja2.parser import Parser
from jinja2.runtime import LoopContext, Macro, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import pass_context
from jinja2.visitor import NodeTransformer

from cleanroom.spec.operand import shown
from cleanroom.spec.templates.expression import ExpressionError, work
from cleanroom.spec.templates.filters import FILTERS, OWN_FILTERS, TESTS, bound, join, listed, weigh

if TYPE_CHECKING:
    from jinja2.runtime import Context

BUILT_IN = "cleanroom.j2"
_LOOP = frozenset({"index", "index0", "revindex", "revindex0", "first", "last", "length", "previtem", "nextitem"})


class Sandbox(ImmutableSandboxedEnvironment):
    """Bounded operators, keys instead of attributes, and no callables but those handed in and macros."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})
    # How a macro's output is put together: whole_file keeps the origin of each part.
    concat: Any

    def __init__(self, *, loader: BaseLoader | None = None, trace: Trace | None = None) -> None:
        super().__init__(
            undefined=StrictUndefined, autoescape=False, optimized=False, loader=loader, trim_blocks=True,
            lstrip_blocks=True, keep_trailing_newline=True, cache_size=2,
        )  # fmt: skip
        self.trace = trace
        self.globals.clear()
        self.tests = {name: self.tests[name] for name in TESTS}
        self.filters = {**{name: self.filters[name] for name in FILTERS}, **OWN_FILTERS, **INTERNAL}
        if trace is not None:
            self.concat = trace.join

    def _generate(
        self, source: nodes.Template, name: str | None, filename: str | None, defer_init: bool = False
    ) -> str:
        bounded = _Bounded(self.trace if name is None else None)
        tree = bounded.visit(source)
        # The macro file is read only after the template that imports it has been parsed, and pays like it.
        return super()._generate(tree, name, filename, defer_init)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:  # noqa: ANN401, ARG002
        """Return the result of an operator whose operands were found to be small enough."""
        bound(operator, left, right)
        return self.binop_table[operator](left, right)

    def getattr(self, obj: Any, attribute: str) -> Any:  # noqa: ANN401
        """Return the key of a mapping, a loop's own figure, or a macro of the macro file."""
        if isinstance(obj, LoopContext) and attribute in _LOOP:
            return getattr(obj, attribute)
        if isinstance(obj, LoopContext) and attribute == "cycle":
            return obj.cycle
        if isinstance(obj, TemplateModule):
            found = vars(obj).get(attribute)
            return found if isinstance(found, Macro) else self.undefined(f"there is no macro {shown(attribute)} in it")
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:  # noqa: ANN401
        """Return the value under a key, or the item or character at an index."""
        if isinstance(obj, Undefined):
            obj._fail_with_undefined_error()  # noqa: SLF001 -- the only place that words a missing name
        if isinstance(obj, Mapping):
            if isinstance(argument, (str, int, float, bool, type(None))) and argument in obj:
                return obj[argument]
        elif isinstance(obj, (str, list, tuple)) and isinstance(argument, int):
            try:
                return obj[argument]
            except IndexError:
                return self.undefined(f"there is no item {argument}")
        return self.undefined(f"there is no {shown(argument)} in it", obj=obj, name=str(argument))

    def is_safe_callable(self, obj: Any) -> bool:  # noqa: ANN401
        """Whether a template may call `obj`."""
        if isinstance(obj, Macro):
            return True
        if isinstance(obj, MethodType) and isinstance(obj.__self__, LoopContext):
            return obj.__func__ is LoopContext.cycle
        return getattr(obj, "cleanroom_function", False) is True


class Trace(Protocol):
    """Where the text of a template comes from; `whole_file` gives the one that keeps it."""

    def join(self, parts: Any) -> str:  # noqa: ANN401
        """Return the parts as one text."""

    def written(self, node: nodes.TemplateData) -> nodes.Expr:
        """Return the expression that writes a piece of the template as it stands."""

    def evaluated(self, node: nodes.Expr) -> nodes.Expr:
        """Return the expression that writes the value of `node`."""


class BuiltInLoader(BaseLoader):
    """The macro file of this package, and no other."""

    def __init__(self, source: Callable[[], str]) -> None:
        self._source = source

    def get_source(self, environment: Any, template: str) -> tuple[str, str, Callable[[], bool]]:  # noqa: ANN401, ARG002
        """Return the text of the macro file; raises TemplateNotFound for another name."""
        if template != BUILT_IN:
            raise TemplateNotFound(template)
        return self._source(), BUILT_IN, lambda: True


@lru_cache(maxsize=1)
def expressions() -> Sandbox:
    """Return the sandbox of single expressions."""
    return Sandbox()


def parse_expression(text: str) -> nodes.Node:
    """Return a node below which an expression stands, and nothing else; raises TemplateSyntaxError."""
    parser = Parser(expressions(), text, state="variable")
    expression = parser.parse_expression()
    if not parser.stream.eos:
        raise TemplateSyntaxError(f"it ends before {shown(parser.stream.current.value)}", 1)
    return nodes.Output([expression])


def known_parts(what: str) -> tuple[str, ...]:
    """Return the names of the filters or tests that templates may use."""
    return tuple(sorted(TESTS)) if what == "test" else tuple(sorted((*FILTERS, *OWN_FILTERS)))


def cost(*trees: nodes.Node | None) -> int:
    """Return what evaluating the trees costs once, without the rounds of loops in them, which pay for themselves."""
    total = 0
    pending = [tree for tree in trees if tree is not None]
    while pending:
        node = pending.pop()
        total += 1
        if isinstance(node, nodes.For):
            pending.append(node.iter)
            pending.extend(node.else_)
        elif isinstance(node, nodes.Macro):
            pending.extend(node.defaults)
        else:
            pending.extend(node.iter_child_nodes())
    return total


def internal(name: str, node: nodes.Expr, *arguments: object) -> nodes.Filter:
    """Return the call of an internal filter."""
    constants = [nodes.Const(argument, lineno=node.lineno) for argument in arguments]
    return nodes.Filter(node, name, constants, [], None, None, lineno=node.lineno)


def _paying(node: nodes.Node, once: int) -> nodes.Stmt:
    return nodes.ExprStmt(internal("#spend", nodes.Const(once, lineno=node.lineno)), lineno=node.lineno)


def _refused(what: str, node: nodes.Node, reason: str) -> TemplateAssertionError:
    return TemplateAssertionError(f"{what} cannot be used in a spec: {reason}", node.lineno)


class _Bounded(NodeTransformer):
    """Rewrites a syntax tree so that it pays for what it does; names of internal filters cannot be written by hand."""

    def __init__(self, trace: Trace | None) -> None:
        self._trace = trace

    def visit_Output(self, node: nodes.Output) -> nodes.Node:  # noqa: N802 -- jinja2 dispatches on the node's name
        if self._trace is None:
            return self.generic_visit(node)
        written: list[nodes.Expr] = []
        for child in node.nodes:
            if isinstance(child, nodes.TemplateData):
                written.append(self._trace.written(child))
            else:
                value: nodes.Expr = self.visit(child)
                written.append(self._trace.evaluated(value))
        node.nodes = written
        return node

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802
        if node.recursive:
            raise _refused("a recursive loop", node, "write a macro that calls itself")
        once = cost(*node.body, node.test)
        self.generic_visit(node)
        items: nodes.Expr = node.iter  # type: ignore[assignment]  # declared as any node, parsed as an expression
        node.iter = internal("#each", items, once)
        return node

    def visit_Macro(self, node: nodes.Macro) -> nodes.Node:  # noqa: N802
        once = cost(*node.body)
        self.generic_visit(node)
        node.body.insert(0, _paying(node, once))
        return node

    def visit_CallBlock(self, node: nodes.CallBlock) -> nodes.Node:  # noqa: N802
        once = cost(*node.body)
        self.generic_visit(node)
        node.body.insert(0, _paying(node, once))
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return internal("#concat", nodes.List(node.nodes, lineno=node.lineno))

    def visit_List(self, node: nodes.List) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return internal("#weigh", node)

    def visit_Dict(self, node: nodes.Dict) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return internal("#weigh", node)

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return node if node.ctx == "store" else internal("#weigh", node)

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        node.expr = _weighed(node.expr)
        for operand in node.ops:
            operand.expr = _weighed(operand.expr)
        return node

    def visit_Test(self, node: nodes.Test) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        node.node = _weighed(node.node)
        node.args = [_weighed(argument) for argument in node.args]
        return node

    def visit_Filter(self, node: nodes.Filter) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        if node.node is not None:  # that of a filter block has none
            node.node = _weighed(node.node)
        node.args = [_weighed(argument) for argument in node.args]
        return node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        if isinstance(node.arg, nodes.Slice):
            node.node = internal("#sliced", node.node)
        return node

    def visit_Import(self, node: nodes.Import) -> nodes.Node:  # noqa: N802
        return self._imported(node)

    def visit_FromImport(self, node: nodes.FromImport) -> nodes.Node:  # noqa: N802
        return self._imported(node)

    def _imported(self, node: nodes.Import | nodes.FromImport) -> nodes.Node:
        name = node.template.value if isinstance(node.template, nodes.Const) else None
        if name != BUILT_IN:
            raise _refused(
                f"import of {shown(name) if name else 'a computed name'}", node, f'only "{BUILT_IN}" is there'
            )
        if self._trace is None:
            raise _refused("import", node, "the macro file imports nothing")
        node.with_context = False
        return node

    def visit_Include(self, node: nodes.Include) -> nodes.Node:  # noqa: N802
        raise _refused("include", node, f'only "{BUILT_IN}" can be imported')

    def visit_Extends(self, node: nodes.Extends) -> nodes.Node:  # noqa: N802
        raise _refused("extends", node, f'only "{BUILT_IN}" can be imported')

    def visit_Block(self, node: nodes.Block) -> nodes.Node:  # noqa: N802
        raise _refused("block", node, "there is nothing to extend")

    def visit_NSRef(self, node: nodes.NSRef) -> nodes.Node:  # noqa: N802
        raise _refused("setting an attribute", node, "values do not change; set a name instead")


def _weighed(node: nodes.Expr) -> nodes.Expr:
    return node if isinstance(node, nodes.Const) else internal("#weigh", node)


# Internal filters take the context so that the compiler does not evaluate them while it compiles.
@pass_context
def _weigh_filter(_context: Context, value: object) -> Any:  # noqa: ANN401
    return weigh(value)


@pass_context
def _sliced(_context: Context, value: object) -> Any:  # noqa: ANN401
    if not isinstance(value, (str, list, tuple)):
        raise ExpressionError("only text and lists can be sliced")
    return weigh(value)


@pass_context
def _spend(_context: Context, steps: int) -> str:
    work().spend(steps)
    return ""


@pass_context
def _each(_context: Context, value: object, once: int) -> list[Any]:
    """Return the items of a loop, all of whose rounds are paid here."""
    if isinstance(value, Undefined):
        value._fail_with_undefined_error()  # noqa: SLF001 -- the only place that words a missing name
    items = listed(value)
    work().spend(1 + len(items) * (1 + once))
    return items


@pass_context
def _concat(_context: Context, parts: list[object]) -> str:
    return join(parts)


INTERNAL: dict[str, Callable[..., object]] = {
    "#weigh": _weigh_filter, "#sliced": _sliced, "#spend": _spend, "#each": _each, "#concat": _concat,
}  # fmt: skip

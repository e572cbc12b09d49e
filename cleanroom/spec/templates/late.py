"""Evaluates the templates of a model that only a running scenario can (spec.md section 1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from types import MappingProxyType
from typing import Any, Final, TypeVar

from cleanroom.spec.probe import Probe
from cleanroom.spec.query import HttpAction, SessionExpect, SqlAction
from cleanroom.spec.step import StepExpect
from cleanroom.spec.templates.expression import ExpressionError, Work, evaluate, text_of
from cleanroom.spec.templates.names import pure_functions
from cleanroom.spec.templates.runtime_text import Expression, RuntimeText

Value = TypeVar("Value")
_TYPED: Final[Mapping[type, frozenset[str]]] = MappingProxyType({
    HttpAction: frozenset({"json"}), SqlAction: frozenset({"parameters"}), StepExpect: frozenset({"json", "rows"}),
    SessionExpect: frozenset({"rows"}), Probe: frozenset({"tolerance"}),
})  # fmt: skip
"""Fields in which any value may stand: an expression that is all of one keeps its type there, elsewhere it is text."""


def evaluated(value: Value, known: Mapping[str, object]) -> Value:
    """Return `value` with every template in it evaluated, however deep it stands; raises `ExpressionError`.

    `known` are the run-time names, e.g. `captured`; unchanged parts stay the same objects.
    """
    return _value(value, known, Work(), typed=False)


def _value(value: Value, known: Mapping[str, object], spent: Work, *, typed: bool) -> Value:
    found: Any = value
    if isinstance(value, RuntimeText):
        found = _text(value, known, spent, typed=typed)
    elif is_dataclass(value) and not isinstance(value, type):
        any_value = _TYPED.get(type(value), frozenset())
        # Unchanged fields stay the same objects, so that a model without templates costs next to nothing.
        old = {each.name: getattr(value, each.name) for each in fields(value) if each.init}
        new = {n: _value(part, known, spent, typed=typed or n in any_value) for n, part in old.items()}
        changed = {name: part for name, part in new.items() if part is not old[name]}
        found = replace(value, **changed) if changed else value
    elif isinstance(value, Mapping):
        parts = {key: _value(part, known, spent, typed=typed) for key, part in value.items()}
        unchanged = all(parts[key] is value[key] for key in parts)
        # JSON that is to be sent must stay what the encoder takes.
        found = value if unchanged else parts if isinstance(value, dict) else MappingProxyType(parts)
    elif isinstance(value, tuple | list):
        items = [_value(part, known, spent, typed=typed) for part in value]
        unchanged = all(new is old for new, old in zip(items, value, strict=True))
        found = value if unchanged else items if isinstance(value, list) else tuple(items)
    kept: Value = found
    return kept


def _text(text: RuntimeText, known: Mapping[str, object], spent: Work, *, typed: bool) -> object:
    try:
        if typed and len(text.parts) == 1 and isinstance(text.parts[0], Expression):
            return _expression(text.parts[0], known, spent)
        return "".join(
            part if isinstance(part, str) else text_of(_expression(part, known, spent)) for part in text.parts
        )
    except ExpressionError as err:
        raise ExpressionError(f"{str(text)!r} cannot be evaluated: {err}") from err


def _expression(part: Expression, known: Mapping[str, object], spent: Work) -> object:
    return evaluate(part.source, {**part.bindings, **pure_functions(), **known}, spent)

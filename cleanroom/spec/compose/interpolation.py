"""Variables in values of a Compose file, as the Compose specification has them ("Interpolation")."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

Lookup: TypeAlias = Callable[[str], str | None]
"""Returns the value of a variable, or None when it is not set."""

DEEPEST = 20
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATORS = (":-", ":?", ":+", "-", "?", "+")


class InterpolationError(ValueError):
    """A value cannot be interpolated; the message says why."""


def interpolate(text: str, lookup: Lookup, unset: Callable[[str], None], *, depth: int = 0) -> str:
    """Return `text` with `$NAME`, `${NAME}`, its forms with `-`, `:-`, `?`, `:?`, `+`, `:+`, and `$$` replaced.

    A variable that is not set and has no default is empty, and `unset` is told its name. Raises InterpolationError.
    """
    if depth > DEEPEST:
        raise InterpolationError(f"variables are nested more than {DEEPEST} deep")
    parts: list[str] = []
    index = 0
    while (dollar := text.find("$", index)) >= 0:
        parts.append(text[index:dollar])
        after = text[dollar + 1 : dollar + 2]
        if after == "$":
            parts.append("$")
            index = dollar + 2
        elif after == "{":
            end = _end(text, dollar + 2)
            parts.append(_braced(text[dollar + 2 : end], lookup, unset, depth))
            index = end + 1
        elif match := _NAME.match(text, dollar + 1):
            parts.append(_plain(match[0], lookup, unset))
            index = match.end()
        else:
            raise InterpolationError("a dollar sign begins a variable here; write $$ for a dollar sign")
    parts.append(text[index:])
    return "".join(parts)


def _end(text: str, start: int) -> int:
    """Return where the brace closes that was opened before `start`."""
    depth = 1
    index = start
    while index < len(text):
        if text.startswith("$${", index):
            index += 2
        elif text.startswith("${", index):
            depth += 1
            index += 1
        elif text[index] == "}":
            depth -= 1
            if depth == 0:
                return index
        index += 1
    raise InterpolationError("a variable begins with ${ and has no end")


def _plain(name: str, lookup: Lookup, unset: Callable[[str], None]) -> str:
    value = lookup(name)
    if value is None:
        unset(name)
        return ""
    return value


def _braced(inner: str, lookup: Lookup, unset: Callable[[str], None], depth: int) -> str:
    match = _NAME.match(inner)
    if not match:
        raise InterpolationError(f"${{{inner}}} names no variable")
    name, rest = match[0], inner[match.end() :]
    if not rest:
        return _plain(name, lookup, unset)
    operator = next((operator for operator in _OPERATORS if rest.startswith(operator)), "")
    if not operator:
        raise InterpolationError(
            f"${{{inner}}} is no form of a variable: expected -, :-, ?, :?, + or :+ after its name"
        )
    value = lookup(name)
    present = bool(value) if operator.startswith(":") else value is not None
    if operator.endswith("+"):
        present = not present
        value = ""
    if present:
        return value or ""
    word = interpolate(rest[len(operator) :], lookup, unset, depth=depth + 1)
    if operator.endswith("?"):
        raise InterpolationError(f"the variable {name} must be set: {word or 'it has no value'}")
    return word

"""Placeholders of ours (`$1`, `?`, `:name`) as the driver knows them, with the values in their order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cleanroom.drive.sql.lexer import Token, tokens
from cleanroom.spec.query import Dialect, Parameter


class PlaceholderError(ValueError):
    """Placeholders and values that do not fit: the statement cannot be sent."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A statement for the driver: `$n` for PostgreSQL, `%s` for MySQL; without values it is as it was written."""

    text: str
    values: tuple[Parameter, ...] = ()


def bind(statement: str, parameters: Sequence[Parameter] | Mapping[str, Parameter], dialect: Dialect) -> Bound:
    """Return the statement with its values; raises `PlaceholderError` for one without a value, or a value without one.

    A mapping is for `:name`. A list is for `$1` and so on, or, where there is none of these, for `?` in their order:
    beside `$1` a `?` is an operator (PostgreSQL's jsonb has such).
    """
    if not parameters:
        return Bound(statement)
    pieces = tuple(tokens(statement, dialect))
    if isinstance(parameters, Mapping):
        return _bind(pieces, parameters, lambda token: token.text[1:] if token.kind == "name" else None, dialect)
    by_number = any(token.kind == "dollar" for token in pieces)
    counted = 0

    def number(token: Token) -> str | None:
        nonlocal counted
        if by_number:
            return token.text[1:] if token.kind == "dollar" else None
        if token.kind != "other" or token.text != "?":
            return None
        counted += 1
        return str(counted)

    return _bind(pieces, {str(n): value for n, value in enumerate(parameters, 1)}, number, dialect)


def _bind(
    pieces: Sequence[Token],
    values: Mapping[str, Parameter],
    key_of: Callable[[Token], str | None],
    dialect: Dialect,
) -> Bound:
    written: list[str] = []
    used: list[str] = []
    for token in pieces:
        key = key_of(token)
        if key is None:
            # PyMySQL formats with %: all the others are doubled.
            written.append(token.text.replace("%", "%%") if dialect == "mysql" else token.text)
            continue
        if key not in values:
            raise PlaceholderError(f"the placeholder {_shown(token)} has no value: given are {_given(values)}")
        if dialect == "mysql" or key not in used:
            used.append(key)
        written.append("%s" if dialect == "mysql" else f"${used.index(key) + 1}")
    unused = [key for key in values if key not in used]
    if unused:
        raise PlaceholderError(
            f"no placeholder takes the parameter {unused[0]}: write ${unused[0]} or :{unused[0]} into the statement"
            if unused[0].isdigit()
            else f"no placeholder takes the parameter {unused[0]}: write :{unused[0]} into the statement"
        )
    return Bound("".join(written), tuple(values[key] for key in used))


def _shown(token: Token) -> str:
    return token.text if len(token.text) <= 80 else token.text[:79] + "…"  # noqa: PLR2004 - a line of a message


def _given(values: Mapping[str, Parameter]) -> str:
    names = list(values)
    return ", ".join(names[:10]) + (", …" if len(names) > 10 else "")  # noqa: PLR2004 - a line of a message


def with_context(statement: str, context: Mapping[str, str], dialect: Dialect) -> str:
    """Return the statement with `context` (the trace's) as a comment at its end, as sqlcommenter writes it.

    Last semicolons go: behind one, a server takes the comment for a second statement.
    """
    pieces = list(tokens(statement, dialect))
    while pieces and (pieces[-1].kind == "space" or pieces[-1].text == ";"):
        pieces.pop()
    text = "".join(piece.text for piece in pieces)
    if not context or not pieces:
        return text
    # Behind a comment that ends with its line, ours would be part of it.
    gap = "\n" if pieces[-1].kind == "line_comment" else " "
    pairs = ",".join(f"{name}='{context[name]}'" for name in sorted(context))
    return f"{text}{gap}/*{pairs}*/"

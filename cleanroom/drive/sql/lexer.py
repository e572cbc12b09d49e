"""SQL as far as a client must know it: where strings, names, comments and placeholders begin and end.

Rules: PostgreSQL manual 4.1 (lexical structure; `standard_conforming_strings` is on), MariaDB and MySQL manuals (string
literals, comments; `ANSI_QUOTES` and `NO_BACKSLASH_ESCAPES` are off).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias

from cleanroom.spec.query import Dialect

Kind: TypeAlias = Literal["space", "comment", "line_comment", "quoted", "word", "number", "dollar", "name", "other"]

# What is not closed reaches to the end: the server says what is wrong with it.
_COMMON = r"""
    (?P<space>\s+)
  | (?P<name>(?<![\w\]:]):[A-Za-z_]\w*)
  | (?P<dollar>\$[1-9]\d{0,4}(?![\w$]))
  | (?P<word>[^\W\d][\w$]*)
  | (?P<number>\d[\w.]*)
"""
_EXPRESSIONS: Mapping[Dialect, re.Pattern[str]] = MappingProxyType({
    "postgresql": re.compile(
        r"""
            (?P<quoted>'[^']*(?:''[^']*)*'? | "[^"]*(?:""[^"]*)*"? | [eE]'[^'\\]*(?:(?:''|\\.)[^'\\]*)*'?)
          | (?P<line_comment>--[^\n]*)
          | (?P<nested>/\*)
          | (?P<tag>\$(?:[^\W\d]\w*)?\$)
        """ + "|" + _COMMON + r"| (?P<other>::|.)",
        re.VERBOSE | re.DOTALL,
    ),
    "mysql": re.compile(
        r"""
            (?P<quoted>'[^'\\]*(?:(?:''|\\.)[^'\\]*)*'? | "[^"\\]*(?:(?:""|\\.)[^"\\]*)*"? | `[^`]*(?:``[^`]*)*`?)
          | (?P<line_comment>--(?=\s|\Z)[^\n]*|\#[^\n]*)
          | (?P<comment>/\*.*?(?:\*/|\Z))
        """ + "|" + _COMMON + r"| (?P<other>.)",
        re.VERBOSE | re.DOTALL,
    ),
})  # fmt: skip
_COMMENT_EDGE = re.compile(r"/\*|\*/")


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of SQL; all the pieces of a text, in order, are the text."""

    kind: Kind
    text: str


def token_at(text: str, position: int, dialect: Dialect) -> Token:
    """Return the token that begins at `position`, which must be before the end."""
    found = _EXPRESSIONS[dialect].match(text, position)
    if found is None:
        raise ValueError(f"no SQL begins at {position} of {len(text)} characters")
    kind = found.lastgroup
    if kind == "tag":
        end = text.find(found.group(), found.end())
        return Token("quoted", text[position:] if end < 0 else text[position : end + len(found.group())])
    if kind == "nested":
        return Token("comment", text[position : _end_of_comment(text, position)])
    return Token(kind, found.group())  # type: ignore[arg-type] # the other groups are named like the kinds


def tokens(text: str, dialect: Dialect) -> Iterator[Token]:
    """Yield the tokens of `text`."""
    position = 0
    while position < len(text):
        token = token_at(text, position, dialect)
        position += len(token.text)
        yield token


def _end_of_comment(text: str, start: int) -> int:
    """Return the end of the comment that begins at `start`: in PostgreSQL they nest."""
    depth, position = 0, start
    while found := _COMMENT_EDGE.search(text, position):
        depth += 1 if found.group() == "/*" else -1
        position = found.end()
        if depth == 0:
            return position
    return len(text)

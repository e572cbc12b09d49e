"""The statements of a file of SQL, split as the server's own client splits them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cleanroom.drive.sql.lexer import Token, token_at
from cleanroom.spec.query import Dialect

_DELIMITER = re.compile(r"[ \t]*delimiter[ \t]+(\S+)[^\n]*", re.IGNORECASE)
_SILENT = frozenset({"space", "comment", "line_comment"})


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement, and the line of the file (from 1) on which its first word stands."""

    text: str
    line: int


def split(text: str, dialect: Dialect) -> tuple[Statement, ...]:
    """Return the statements of `text`, without those that are only comments.

    PostgreSQL: a semicolon ends one, but not in parentheses nor in the body of a function between `begin atomic` and
    `end` (as psql does it). MySQL: the line `delimiter //` sets what ends one from there on.
    """
    reader = _Reader(text, dialect)
    return tuple(reader.read())


class _Reader:
    """Goes through a text once."""

    def __init__(self, text: str, dialect: Dialect) -> None:
        self._text = text.removeprefix("\ufeff")
        self._dialect = dialect
        self._delimiter = ";"
        self._begin(0)
        self._counted = (0, 1)

    def _begin(self, position: int) -> None:
        self._start = position
        self._first = -1
        self._words: list[str] = []
        self._parentheses = 0
        self._blocks = 0

    def read(self) -> list[Statement]:
        found: list[Statement] = []
        position = 0
        while position < len(self._text):
            if self._first < 0 and (command := self._command(position)):
                position = command.end()
                self._delimiter = command.group(1)
                self._begin(position)
                continue
            if self._ends(position):
                self._keep(found, position)
                position += len(self._delimiter)
                self._begin(position)
                continue
            token = token_at(self._text, position, self._dialect)
            self._see(token, position)
            position += len(token.text)
        self._keep(found, len(self._text))
        return found

    def _command(self, position: int) -> re.Match[str] | None:
        if self._dialect != "mysql" or (position and self._text[position - 1] not in "\n;"):
            return None
        return _DELIMITER.match(self._text, position)

    def _ends(self, position: int) -> bool:
        return self._parentheses <= 0 and self._blocks == 0 and self._text.startswith(self._delimiter, position)

    def _see(self, token: Token, position: int) -> None:
        if token.kind in _SILENT:
            return
        if self._first < 0:
            self._first = position
        if self._dialect == "mysql":
            return
        if token.text in ("(", ")"):
            self._parentheses += 1 if token.text == "(" else -1
        if token.kind == "word":
            self._see_word(token.text.lower())

    def _see_word(self, word: str) -> None:
        if len(self._words) < 4:  # noqa: PLR2004 - create or replace function
            self._words.append(word)
        named = self._words[:1] == ["create"] and not {"function", "procedure"}.isdisjoint(self._words)
        if (named and word == "begin") or (self._blocks and word == "case"):
            self._blocks += 1
        elif self._blocks and word == "end":
            self._blocks -= 1

    def _keep(self, found: list[Statement], end: int) -> None:
        if self._first < 0:
            return
        text = self._text[self._first : end].rstrip()
        before, line = self._counted
        line += self._text.count("\n", before, self._first)
        self._counted = (self._first, line)
        found.append(Statement(text, line))

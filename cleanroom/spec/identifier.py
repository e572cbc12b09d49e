"""What generated names and columns of SQL are made of: the one rule for workloads and properties alike."""

from __future__ import annotations

from typing import Final

FIRST: Final = "abcdefghijklmnopqrstuvwxyz"
FURTHER: Final = FIRST + "0123456789_"
LONGEST: Final = 30
"""Characters of the names of generated tables and columns: PostgreSQL takes 63, MySQL 64."""
COLUMN_TYPES: Final = (
    "integer", "bigint", "smallint", "numeric(12,2)", "double precision", "varchar(50)", "char(8)", "text", "date",
    "timestamp",
)  # fmt: skip
"""Every one is known to PostgreSQL, MariaDB and MySQL."""
_NUMBERED: Final = frozenset({"int1", "int2", "int3", "int4", "int8", "float4", "float8"})
"""The reserved words that end in a digit; all others end in a letter, and have two or more."""


def unreserved(word: str) -> str:
    """Return `word`, or one of its length that ends in `_`, if any database could take it for a word of its own."""
    if len(word) > 1 and (word[-1] in FIRST or word in _NUMBERED):
        return f"{word[:-1]}_"
    return word

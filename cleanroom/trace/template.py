"""What several texts have in common, as a pattern that finds each of them and a text that stands for all."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_TOKEN = re.compile(
    r"(?P<uuid>[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12})"
    r"|(?P<time>\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)"
    r"|(?P<decimal>(?<![\w.])\d+\.\d+(?![\w.]))"
    r"|(?P<word>[A-Za-z0-9]+)"
    r"|(?P<other>.)",
    re.DOTALL,
)
_SHAPES = {
    "uuid": (r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}", "<uuid>"),
    "time": (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?", "<time>"),
    "decimal": (r"\d+\.\d+", "<n>"),
}
_NUMBER = re.compile(r"\d+")
_HEX = re.compile(r"[0-9a-fA-F]{6,}")
_STEM = re.compile(r"(.*?)\d*", re.DOTALL)
_SPECIAL = re.compile(r"[\\.^$*+?{}\[\]|()]")
_ENOUGH_TO_BE_RANDOM = 3
_LONGEST = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A regular expression for a whole text, what stands for it, and how much of it is fixed and how much varies."""

    pattern: str
    replacement: str
    words: int
    """Fixed words: what a replacement keeps comparable."""
    gaps: int


def template_of(texts: Sequence[str]) -> Template | None:
    """Return the template of texts that differ in numbers, ids and times only; None where they differ in more.

    A word that differs is an id when it has digits or is hexadecimal, or when at least three texts have as many
    different words there: `GET` against `POST` is no noise.
    """
    if len(set(texts)) < 2 or any(len(text) > _LONGEST for text in texts):  # noqa: PLR2004 -- one text has no variants
        return None
    tokens = [[(match.lastgroup or "", match[0]) for match in _TOKEN.finditer(text)] for text in texts]
    if len({len(each) for each in tokens}) != 1:
        return None
    pattern, replacement, words, gaps = "", "", 0, 0
    for column in zip(*tokens, strict=True):
        kinds, values = {kind for kind, _ in column}, [value for _, value in column]
        if len(set(values)) == 1:
            pattern += _SPECIAL.sub(r"\\\g<0>", values[0])
            replacement += values[0].replace("\\", "\\\\")
            words += "word" in kinds
            continue
        part = _SHAPES.get(next(iter(kinds))) if len(kinds) == 1 else None
        part = part or (_word(values) if kinds == {"word"} else None)
        if part is None:
            return None
        pattern, replacement, gaps = pattern + part[0], replacement + part[1], gaps + 1
        words += not part[1].startswith("<")
    return Template(pattern=f"^{pattern}$", replacement=replacement, words=words, gaps=gaps)


def _word(values: list[str]) -> tuple[str, str] | None:
    """Return pattern and placeholder for words that differ, or None where they may mean something."""
    stems = {match[1] for value in values if (match := _STEM.fullmatch(value))}
    if len(stems) == 1 and all(len(value) > len(next(iter(stems))) for value in values):
        stem = next(iter(stems))
        return f"{stem}\\d+", f"{stem}<n>"
    if all(_HEX.fullmatch(value) for value in values) and len({len(value) for value in values}) == 1:
        return f"[0-9a-fA-F]{{{len(values[0])}}}", "<hex>"
    digits = all(_NUMBER.search(value) for value in values)
    if digits or len(set(values)) == len(values) >= _ENOUGH_TO_BE_RANDOM:
        return "[A-Za-z0-9]+", "<id>"
    return None

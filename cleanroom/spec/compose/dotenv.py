"""`.env` and `env_file` files, as Compose reads them: one `NAME=value` a line, quotes, comments, variables."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cleanroom.spec.compose.interpolation import InterpolationError, Lookup, interpolate

_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_.-]*)\s*(=|:\s)?[ \t]*")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "$": "$$"}


class DotenvError(ValueError):
    """A line that is no assignment; `line` counts from 1."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class Assignment:
    """One variable; `value` is None where the file names it without a value, to be taken from the environment."""

    name: str
    value: str | None
    line: int


def read_dotenv(text: str, outer: Lookup) -> dict[str, Assignment]:
    """Return the variables of a file by name, the last one of a name; raises DotenvError.

    Values that are not in single quotes may refer to variables above them, then to `outer`.
    """
    found: dict[str, Assignment] = {}

    def lookup(name: str) -> str | None:
        above = found.get(name)
        return above.value if above and above.value is not None else outer(name)

    for number, name, raw, interpolated in _assignments(text):
        value = raw
        if raw is not None and interpolated:
            try:
                value = interpolate(raw, lookup, lambda _name: None)
            except InterpolationError as err:
                raise DotenvError(number, str(err)) from err
        found[name] = Assignment(name, value, number)
    return found


def values_of(assignments: Mapping[str, Assignment]) -> dict[str, str]:
    """Return the variables that have a value."""
    return {name: one.value for name, one in assignments.items() if one.value is not None}


def _assignments(text: str) -> Iterator[tuple[int, str, str | None, bool]]:
    """Yield (line, name, raw value, whether variables in it are replaced)."""
    lines = text.removeprefix("\ufeff").splitlines()
    index = 0
    while index < len(lines):
        number, line = index + 1, lines[index]
        index += 1
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.match(line)
        rest = line[match.end() :] if match else ""
        if not match or (not match[2] and rest.strip() and not rest.lstrip().startswith("#")):
            raise DotenvError(number, "expected NAME=value")
        if not match[2]:
            yield number, match[1], None, False
            continue
        quote = rest[:1]
        if quote not in ("'", '"'):
            yield number, match[1], re.split(r"(?:^|\s+)#", rest, maxsplit=1)[0].rstrip(), True
            continue
        body = rest[1:]
        while (end := _closing(body, quote)) < 0:
            if index >= len(lines):
                raise DotenvError(number, f"the quote {quote} is not closed")
            body = f"{body}\n{lines[index]}"
            index += 1
        value = body[:end]
        yield number, match[1], value if quote == "'" else _unescape(value), quote == '"'


def _closing(body: str, quote: str) -> int:
    index = 0
    while index < len(body):
        if body[index] == "\\" and quote == '"':
            index += 1
        elif body[index] == quote:
            return index
        index += 1
    return -1


def _unescape(value: str) -> str:
    return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[0]), value, flags=re.DOTALL)

"""Comments that allow what a rule finds: `# cleanroom-lint: allow RULE [RULE…] -- reason`.

Behind something, a comment is about its line; on a line of its own, about what follows, with all that is indented
below it; above the first line of the spec, about the whole file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cleanroom.spec.problem import nearest

_COMMENT = re.compile(r"#\s*cleanroom-lint\s*:(.*)")
_ALLOW = re.compile(r"\s*allow\s+(.+?)\s+--\s+(\S.*)")
_WITHOUT_REASON = re.compile(r"\s*allow\s+\w[\w ,-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Allow:
    """One rule that a comment allows, and on which lines (both ends included)."""

    rule: str
    first: int
    last: int
    line: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenAllow:
    """A comment that allows nothing as it is written."""

    message: str
    line: int
    column: int


def read_allows(
    comments: Sequence[tuple[int, int, str]], lines: Sequence[str], known: Sequence[str]
) -> Iterator[Allow | BrokenAllow]:
    """Yield what the comments (line, column, text) of a file with these lines allow; `known` are the rules' names."""
    start = next((number for number, line in enumerate(lines, 1) if _has_content(line)), len(lines) + 1)
    for line, column, text in comments:
        match = _COMMENT.match(text)
        if match is None:
            continue
        allowed = _ALLOW.fullmatch(match[1].rstrip())
        if allowed is None:
            missing = _WITHOUT_REASON.fullmatch(match[1].rstrip()) is not None
            message = "the comment gives no reason" if missing else "the comment is not understood"
            yield BrokenAllow(message=message, line=line, column=column)
            continue
        first, last = _reach(lines, line, column, start)
        for name in re.split(r"[,\s]+", allowed[1]):
            if name in known:
                yield Allow(rule=name, first=first, last=last, line=line, column=column)
            else:
                close = nearest(name, known)
                hint = f"; did you mean {close}?" if close else ""
                yield BrokenAllow(message=f"there is no rule {name}{hint}", line=line, column=column)


def _reach(lines: Sequence[str], line: int, column: int, start: int) -> tuple[int, int]:
    """Return the first and the last line that a comment is about."""
    if lines[line - 1][: column - 1].strip():
        return line, line
    if line < start:
        return 1, len(lines)
    first = next((at for at in range(line + 1, len(lines) + 1) if _has_content(lines[at - 1])), line)
    indent = _indent(lines[first - 1])
    in_sequence = lines[first - 1].lstrip().startswith("- ")
    last = first
    for at in range(first + 1, len(lines) + 1):
        text = lines[at - 1]
        if not _has_content(text):
            continue
        # A list may stand at the indentation of its key.
        same_list = not in_sequence and _indent(text) == indent and text.lstrip().startswith("- ")
        if _indent(text) <= indent and not same_list:
            break
        last = at
    return first, last


def _has_content(line: str) -> bool:
    text = line.strip()
    return bool(text) and not text.startswith("#") and text != "---"


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))

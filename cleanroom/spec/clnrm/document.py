"""A `.clnrm.toml` as plain data; many are no valid TOML, and then the line and the remedy are named."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from cleanroom.errors import SpecError
from cleanroom.spec.document import LARGEST_FILE

_AT = re.compile(r"\(at line (\d+), column (\d+)\)|\(at end of document\)")
_INLINE = "TOML has no line break inside { … }: write the table on one line, or as a [table] of its own"
_OTHER = "correct the line; the predecessor's own parser refuses it too"


def read_clnrm(path: Path) -> dict[str, Any]:
    """Return the tables of a file; raises SpecError for one that is a template, too large or no TOML."""
    name = path.name
    if name.endswith(".tera"):
        raise SpecError(f"{name} is a template, not a spec", remedy="render it with the predecessor, then import that")
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except OSError as err:
        raise SpecError(f"{name} cannot be read: {err.strerror}") from err
    if len(data) > LARGEST_FILE:
        raise SpecError(f"{name} is too large", remedy="a spec has at most 1 MiB")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as err:
        raise SpecError(f"{name} is not UTF-8 text") from err
    try:
        return tomllib.loads(text)
    except RecursionError as err:
        raise SpecError(f"{name} is nested too deeply") from err
    except tomllib.TOMLDecodeError as err:
        raise _invalid(name, text, str(err)) from err


def _invalid(name: str, text: str, message: str) -> SpecError:
    """Return the error for text that is no TOML, with the line and what to do."""
    lines = text.splitlines()
    match = _AT.search(message)
    number = int(match[1]) if match and match[1] else len(lines)
    column = match[2] if match and match[2] else "1"
    line = lines[number - 1].strip() if 0 < number <= len(lines) else ""
    reason = _AT.sub("", message).strip() or "unexpected text"
    remedy = _INLINE if _is_inside_inline_table(lines, number) else _OTHER
    return SpecError(f"{name}:{number}:{column}: not valid TOML: {reason}\n  {number} | {line}", remedy=remedy)


def _is_inside_inline_table(lines: list[str], number: int) -> bool:
    """Whether a `{` of that line, or of one before it, is not closed before the line ends."""
    depth = 0
    for line in lines[:number]:
        bare = re.sub(r'"(?:\\.|[^"\\])*"|\'[^\']*\'|#.*', "", line)
        depth = 0 if re.match(r"\s*\[", bare) and depth <= 0 else depth
        depth += bare.count("{") - bare.count("}")
    return depth > 0

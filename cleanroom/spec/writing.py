"""Plain data as the YAML of a spec file: two spaces, lists indented under their key, quotes where they are needed.

What is written reads back as the same values: text that YAML 1.1 or 1.2 would take for something else is quoted, and
text with `{{` is written so that templates give it back (spec.md section 1).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cleanroom.spec.compose.nodes import FileText
from cleanroom.spec.document import Items, Node, Scalar
from cleanroom.text import one_line

WIDTH = 110
_PLAIN = re.compile(
    r"[A-Za-z0-9_./+~@=^$()*-](?:[A-Za-z0-9_./+~@=^$()*%:;<>?!'\"\\|&-]| (?=[A-Za-z0-9_./+~@=^$()*%;<>?!'\"\\|&-]))*"
)
_FIRST = re.compile(r"[A-Za-z0-9_/.(^$]|-[A-Za-z-]")
_NUMERIC = re.compile(r"(?=[^0-9]*[0-9])[-+.0-9][-+.:_0-9xXobBeEa-fA-FtTzZ ]*|[-+]?\.?(?:inf|nan)", re.IGNORECASE)
_WORDS = frozenset({"", "~", "null", "true", "false", "yes", "no", "on", "off", "y", "n", "<<", "="})
_ESCAPES = {"\n": "\\n", "\t": "\\t", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
_LINE_ENDS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\xa0\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff]")


def plain_data(node: Node) -> Any:  # noqa: ANN401 -- JSON-like by construction
    """Return nodes as dicts, lists and values to write; a number that is not written as Python would stays text."""
    if isinstance(node, Scalar):
        same = isinstance(node.value, (str, bool, type(None))) or node.text == str(node.value)
        return node.value if same else node.text
    if isinstance(node, Items):
        return [plain_data(item) for item in node.items]
    return {entry.key: plain_data(entry.value) for entry in node.entries}


def comment(text: str, *, indent: int = 0) -> str:
    """Return text as a comment on one line, ended."""
    return f"{' ' * indent}# {one_line(text, 400)}\n"


def block(value: Mapping[str, Any], *, indent: int = 0) -> str:
    """Return a mapping as lines of block YAML; short parts of it stand on one line."""
    return "".join(_entry(key, item, indent) for key, item in value.items())


def _entry(key: str, value: Any, indent: int, *, lead: str = "") -> str:  # noqa: ANN401 -- JSON-like
    """Return the lines of one key; `lead` stands before the first instead of its indentation."""
    start = (lead or " " * indent) + f"{text(key)}:"
    if isinstance(value, str) and not isinstance(value, FileText) and _fits_block(value):
        return f"{start} {_literal(value, indent + 2)}"
    flat = _flow(value)
    if _is_short(value, flat, len(start)):
        return f"{start} {flat}\n"
    if isinstance(value, Mapping):
        return f"{start}\n{block(value, indent=indent + 2)}"
    return f"{start}\n{''.join(_item(item, indent + 2) for item in value)}"


def _item(value: Any, indent: int) -> str:  # noqa: ANN401 -- JSON-like
    flat = _flow(value)
    if isinstance(value, Mapping) and value and not _is_short(value, flat, indent + 2):
        entries = list(value.items())
        first = _entry(entries[0][0], entries[0][1], indent + 2, lead=f"{' ' * indent}- ")
        return first + block(dict(entries[1:]), indent=indent + 2)
    if isinstance(value, str) and not isinstance(value, FileText) and _fits_block(value):
        return f"{' ' * indent}- {_literal(value, indent + 2)}"
    return f"{' ' * indent}- {flat}\n"


def _is_short(value: Any, flat: str, before: int) -> bool:  # noqa: ANN401 -- JSON-like
    if not isinstance(value, (Mapping, Sequence)) or isinstance(value, str) or not value:
        return True
    if before + 1 + len(flat) > WIDTH or _has_lines(value):
        return False
    # Deeper ones are easier to read below each other.
    return _depth(value) <= 2  # noqa: PLR2004


def _depth(value: Any) -> int:  # noqa: ANN401 -- JSON-like
    if isinstance(value, Mapping):
        return 1 + max((_depth(item) for item in value.values()), default=0)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return 1 + max((_depth(item) for item in value), default=0)
    return 0


def _has_lines(value: Any) -> bool:  # noqa: ANN401 -- JSON-like
    if isinstance(value, str):
        return not isinstance(value, FileText) and "\n" in value
    parts: Iterable[Any] = (
        value.values() if isinstance(value, Mapping) else value if isinstance(value, (list, tuple)) else ()
    )
    return any(_has_lines(part) for part in parts)


def _flow(value: Any) -> str:  # noqa: ANN401 -- JSON-like
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{text(key)}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, FileText):
        path = json.dumps(value.path, ensure_ascii=False).replace("'", "\\u0027")
        return quoted("{{ file('" + path[1:-1].replace('\\"', '"') + "') }}")
    if isinstance(value, str):
        return text(escaped(value))
    if isinstance(value, Sequence):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def escaped(value: str) -> str:
    """Return text so that templates give it back."""
    return value.replace("{{", "{{ '{{' }}")


def text(value: str) -> str:
    """Return text as a YAML scalar that every reader takes for this text."""
    plain = (
        _PLAIN.fullmatch(value)
        and _FIRST.match(value)
        and not value.endswith(":")
        and ": " not in value
        and not value.startswith(("---", "..."))
        and value.lower() not in _WORDS
        and not _NUMERIC.fullmatch(value)
    )
    return value if plain else quoted(value)


def quoted(value: str) -> str:
    """Return text in double quotes."""
    return '"' + "".join(_ESCAPES.get(c) or (_code(c) if _LINE_ENDS.match(c) else c) for c in value) + '"'


def _code(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"  # noqa: PLR2004


def _fits_block(value: str) -> bool:
    """Whether text is best written as a literal block: several lines, and nothing that a block would change."""
    lines = value.split("\n")
    return (
        len(lines) > 2  # noqa: PLR2004 -- one line with its end is shorter in quotes
        and not _LINE_ENDS.search(value)
        and not value.endswith("\n\n")
        and bool(lines[0])
        and not any(line[:1] in " \t" for line in lines[:1])
        and not any(line != line.rstrip() for line in lines)
    )


def _literal(value: str, indent: int) -> str:
    body = value.removesuffix("\n")
    lines = escaped(body).split("\n")
    chomp = "" if value.endswith("\n") else "-"
    return f"|{chomp}\n" + "".join(f"{' ' * indent}{line}\n" if line else "\n" for line in lines)

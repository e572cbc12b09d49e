"""How a scalar is written: plain where that is safe and means the same, quoted otherwise.

A quoted text becomes plain only when no reader of YAML, 1.1 included, could take it for something else: `yes`, `1:30`,
`010`, `2025-01-01` and everything with a template keep their quotes. A plain scalar stays plain.
"""

from __future__ import annotations

import re

from cleanroom.spec.format.tree import Leaf

# Words and numbers that some reader of YAML does not take for text.
_WORDS = re.compile(r"(?i:y|n|yes|no|on|off|true|false|null|~|<<|=|\.inf|\.nan)")
_NUMBER_LIKE = re.compile(r"[-+]?\.?[0-9][-+0-9_.,:eExXoObBa-fA-FtTzZ ]*")
_NEVER_FIRST = "-?:,[]{}#&*!|>'\"%@`=.~"
_FIRST_BEFORE_TEXT = "-.?:"
"""Characters that may begin plain text when a letter, digit or another of them follows."""
_SHORT = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r", "\0": "\\0"}


def written(leaf: Leaf, *, flow: bool, key: bool = False) -> str:
    """Return a scalar or an alias as one line, with its anchor and tag."""
    if leaf.alias:
        return f"*{leaf.alias}"
    text = _content(leaf, flow=flow, key=key)
    return f"{leaf.properties} {text}".rstrip() if leaf.properties else text


def _content(leaf: Leaf, *, flow: bool, key: bool) -> str:
    value = leaf.value
    if not leaf.style and not value and "!!" not in leaf.properties:
        return "null" if flow and not key else ""
    if not leaf.style and "\n" not in value:
        return value
    if "!!" in leaf.properties and not leaf.style:
        return quoted(value) if "\n" in value else value
    return value if not _needs_quotes(value, flow=flow) else quoted(value)


def quoted(value: str) -> str:
    """Return `value` in double quotes, or in single ones where double ones would need a backslash."""
    if value.isprintable() and ("\\" in value or '"' in value) and "'" not in value:
        return f"'{value}'"
    return '"' + "".join(_escaped(character) for character in value) + '"'


def _escaped(character: str) -> str:
    if character in _SHORT:
        return _SHORT[character]
    if character.isprintable():
        return character
    number = ord(character)
    if number < 0x100:  # noqa: PLR2004 -- the widths of the three escapes of YAML
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"  # noqa: PLR2004 -- as above


def _needs_quotes(value: str, *, flow: bool) -> bool:
    if not value or not value.isprintable() or value != value.strip():
        return True
    if _WORDS.fullmatch(value) or _NUMBER_LIKE.fullmatch(value) or "{{" in value or "}}" in value or "{%" in value:
        return True
    if value[0] in _NEVER_FIRST:
        follows = value[1:2]
        if value[0] not in _FIRST_BEFORE_TEXT or not (follows.isalnum() or follows in tuple("-./")):
            return True
    if value.startswith(("---", "...")) or ": " in value or " #" in value or value.endswith(":"):
        return True
    return flow and any(character in ",[]{}:" for character in value)

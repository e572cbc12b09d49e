"""Names of report files: safe on every file system, in artifacts, in checksums; no colon, no leading dot."""

from __future__ import annotations

import hashlib
import re

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST = 60


def slug(text: str) -> str:
    """Return `text` as a part of a file name, at most 60 characters, never empty, never with a leading dot or dash."""
    plain = _UNSAFE.sub("-", text).strip(".-")
    if plain and plain == text and len(plain) <= _LONGEST:
        return plain
    # Something was lost: the mark keeps different texts apart, and the same text the same over runs.
    mark = hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:6]
    return f"{plain[:_LONGEST].rstrip('.-') or 'unnamed'}-{mark}"


def unique(name: str, taken: set[str]) -> str:
    """Return `name`, numbered where it is taken already (letter case apart), and take it."""
    candidate, number = name, 1
    while candidate.casefold() in taken:
        number += 1
        candidate = f"{name}-{number}"
    taken.add(candidate.casefold())
    return candidate

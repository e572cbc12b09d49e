"""A file that holds what attributes look like: the same words as `schema` has in a spec (spec.md section 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cleanroom.spec.document import LARGEST_FILE, UnreadableError, decode, read_document
from cleanroom.spec.problem import ProblemLog
from cleanroom.spec.shapes.attribute_schema import attribute_schemas
from cleanroom.spec.shapes.place import Place, RefusedError
from cleanroom.spec.source import Position

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cleanroom.spec.attribute_schema import AttributeSchema


def read_schemas(path: Path, name: str, log: ProblemLog) -> Mapping[str, AttributeSchema] | None:
    """Return the schemas in a file (YAML or JSON), or None when something is wrong with it, which has been reported.

    `name` is the file's in positions. Templates are not rendered in it.
    """
    own = ProblemLog(name)
    start = Position(name, 1, 1)
    found: Mapping[str, AttributeSchema] | None = None
    try:
        with path.open("rb") as file:
            text = decode(file.read(LARGEST_FILE + 1), own)
        if text.strip():
            found = attribute_schemas(read_document(text, own), Place(own))
        else:
            own.report("empty-file", start, "the file is empty", expected="attributes and their schemas")
    except OSError as err:
        own.report("unreadable", start, f"the schema of attributes cannot be read: {err.strerror}")
    except (UnreadableError, RefusedError):
        found = None  # reported where it was found
    log.absorb(own)
    return None if own.found else found

"""An example of every key's value: its own, its shape's, or one made of what the shape reads."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from cleanroom.spec.shapes.record import Key, Record
from cleanroom.spec.shapes.shape import Shape

_HOLE = re.compile(r"^$|\[\]|: ?\}")
"""What shapes made of others show where these have no example of their own."""
_DEEPEST = 24
_SIMPLE = {"integer": "1", "number": "1", "boolean": "true", "string": "some text"}


def example_of(key: Key) -> str:
    """Return a value for the key as YAML flow text, never empty; raises ValueError where none can be made."""
    return key.example or _of(key.shape, 0)


def _of(part: Any, depth: int) -> str:  # noqa: ANN401 -- a Fragment is anything
    if depth > _DEEPEST:
        raise ValueError("a shape whose values contain each other needs an example")
    if isinstance(part, Shape):
        return _of(part.schema, depth + 1) if _HOLE.search(part.example) else part.example
    if isinstance(part, Record):
        return _of_record(part, depth)
    if isinstance(part, Mapping):
        return _of_schema(part, depth)
    if callable(part):
        return _of(part(), depth + 1)
    raise ValueError(f"no example can be made of {part!r}")


def _of_record(record: Record, depth: int) -> str:
    """Return a mapping of the keys that must be there, or of the first one."""
    names = list(record.required)
    for group in (record.exactly_one, record.at_least_one):
        names += [] if not group or any(name in names for name in group) else [group[0]]
    names += [record.needs[name] for name in names if name in record.needs and record.needs[name] not in names]
    ordered = [name for name in record.keys if name in names] or list(record.keys)[:1]
    values = (f"{name}: {record.keys[name].example or _of(record.keys[name].shape, depth + 1)}" for name in ordered)
    return "{" + ", ".join(values) + "}"


def _of_schema(schema: Mapping[str, Any], depth: int) -> str:
    if "variants" in schema:
        return _of(next(iter(schema["variants"].values())), depth + 1)
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema:
            return _of_one(schema[keyword], depth)
    if "enum" in schema or "const" in schema:
        return json.dumps(schema.get("const", next(iter(schema.get("enum", ())), None)))
    members = schema.get("prefixItems", [schema["items"]] * schema.get("minItems", 1) if "items" in schema else [])
    if members:
        return f"[{', '.join(_of(member, depth + 1) for member in members)}]"
    values = schema.get("additionalProperties")
    if values is not None and not isinstance(values, bool):
        return f"{{name: {_of(values, depth + 1)}}}"
    types = schema.get("type", ())
    first = types if isinstance(types, str) else next(iter(types), "")
    if first in _SIMPLE and "pattern" not in schema:
        return _SIMPLE[first]
    raise ValueError(f"a shape with the schema {dict(schema)!r} needs an example")


def _of_one(schemas: Sequence[Any], depth: int) -> str:
    """Return an example of the first of several schemas of which one can be made."""
    for schema in schemas:
        with suppress(ValueError):
            return _of(schema, depth + 1)
    raise ValueError(f"none of the schemas {list(schemas)!r} has an example")

"""The JSON Schema (2020-12) of spec files, made of the records that read them: what editors complete and underline.

The schema accepts everything that the loader accepts. It cannot refuse all that the loader refuses: references between
parts of a file, contradictions and templates are beyond it.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from cleanroom.spec.language.example import example_of
from cleanroom.spec.language.literal import value_of
from cleanroom.spec.shapes.record import Key, Record
from cleanroom.spec.shapes.shape import Shape

if TYPE_CHECKING:
    from cleanroom.canonical import Json

Object: TypeAlias = "dict[str, Json]"
IDENTIFIER = "urn:cleanroom:spec:1"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
DEFERRED = "Read and checked; run cannot carry it out in this version."
_TITLE = "cleanroom spec"
_ABOUT = "A suite of `*.cleanroom.yaml`. Made by `cleanroom schema` from the records that read it."
TEMPLATE = "template"
_TEMPLATE: Object = {
    "type": "string",
    "pattern": r"\{\{",
    "description": "A template: `{{ expression }}`. An expression that is the whole value keeps its type.",
}
_EMPTY: Json = [[], {}]
_VERBATIM = frozenset({"enum", "const", "required", "type", "default", "examples", "pattern", "description"})
_VALUES = frozenset({"items", "additionalProperties", "contains"})
_DEEPEST = 200


def json_schema(root: Record) -> Object:
    """Return the schema of files whose outermost mapping `root` reads; raises ValueError when two places share a name.

    Every record is a definition, named by `slug` of its place; the same records give the same value.
    """
    return _Writer().document(root)


def render_schema(root: Record) -> str:
    """Return `json_schema` as text: the same bytes for the same records."""
    return json.dumps(json_schema(root), indent=2, ensure_ascii=False) + "\n"


def slug(place: str) -> str:
    """Return the name of a place in definitions and anchors: `services.<name>.ready[]` is `services-name-ready`."""
    name = re.sub(r"^(?:a|an|the) ", "", place)
    return re.sub(r"[^A-Za-z0-9_]+", "-", name).strip("-").lower() or "suite"


class _Writer:
    """Writes definitions: of each record once, and of shapes that contain themselves."""

    def __init__(self) -> None:
        self._definitions: Object = {TEMPLATE: _TEMPLATE}
        self._records: dict[str, Record] = {}
        self._pending: list[Record] = []
        self._open: dict[int, str] = {}
        """Shapes that are being written, each with the name of its definition once one refers to it."""
        self._depth = 0

    def document(self, root: Record) -> Object:
        reference = self._reference(root)
        while self._pending:
            record = self._pending.pop(0)
            self._definitions[slug(record.place)] = self._record(record)
        return {
            "$schema": DIALECT,
            "$id": IDENTIFIER,
            "title": _TITLE,
            "description": _ABOUT,
            **reference,
            "$defs": self._definitions,
        }

    def _reference(self, record: Record) -> Object:
        name = slug(record.place)
        known = self._records.setdefault(name, record)
        if known is not record or name == TEMPLATE:
            raise ValueError(f"two records have the place {record.place!r}")
        if name not in self._definitions:
            self._definitions[name] = {}
            self._pending.append(record)
        return {"$ref": f"#/$defs/{name}"}

    def _record(self, record: Record) -> Object:
        written: Object = {
            "type": "object",
            "title": record.place or "a spec file",
            **({"description": record.doc} if record.doc else {}),
            "properties": {name: self._key(key) for name, key in record.keys.items()},
            "additionalProperties": False,
        }
        if record.required:
            written["required"] = list(record.required)
        if record.exactly_one:
            written["oneOf"] = [{"required": [name]} for name in record.exactly_one]
        if record.at_least_one:
            written["anyOf"] = [{"required": [name]} for name in record.at_least_one]
        pairs = [pair for group in record.at_most_one for pair in itertools.combinations(group, 2)]
        if pairs:
            written["allOf"] = [{"not": {"required": list(pair)}} for pair in pairs]
        if record.needs:
            written["dependentRequired"] = {name: [needed] for name, needed in record.needs.items()}
        if record.not_empty:
            written["minProperties"] = 1
            # Keys whose values are empty check nothing (`spans: []`), but for operands, which may be anything.
            if all(key.shape.schema for key in record.keys.values()):
                written["not"] = {"additionalProperties": {"enum": _EMPTY}}
        return written

    def _key(self, key: Key) -> Object:
        words = [key.doc, f"Default: `{key.default}`." if key.default else "", DEFERRED if key.later else ""]
        described: Object = {"description": "\n\n".join(word for word in words if word)}
        if key.default:
            described["default"] = value_of(key.default)
        described["examples"] = [value_of(example_of(key))]
        written = self._value(key.shape)
        # `true` is the schema of any value, as no keywords are.
        return described | ({} if written is True else written)

    def _value(self, part: Any) -> Any:  # noqa: ANN401 -- a Fragment is anything
        """Return the schema of a value: what is not plain text may also be a template (spec.md section 1)."""
        written = self._fragment(part)
        if isinstance(written, bool) or _takes_any_text(written):
            return written
        template = {"$ref": f"#/$defs/{TEMPLATE}"}
        if written.keys() == {"anyOf"}:
            return {"anyOf": [*written["anyOf"], template]}
        return {"anyOf": [written, template]}

    def _fragment(self, part: Any) -> Any:  # noqa: ANN401 -- a Fragment is anything
        self._depth += 1
        if self._depth > _DEEPEST:
            raise ValueError("a shape contains itself, and makes itself anew each time")
        try:
            return self._resolve(part)
        finally:
            self._depth -= 1

    def _resolve(self, part: Any) -> Any:  # noqa: ANN401 -- a Fragment is anything
        if isinstance(part, Record):
            return self._reference(part)
        if isinstance(part, Shape):
            return self._shape(part)
        if isinstance(part, Mapping):
            return self._variants(part) if "variants" in part else self._keywords(part)
        if isinstance(part, Sequence) and not isinstance(part, str):
            return [self._fragment(item) for item in part]
        if isinstance(part, Callable):  # type: ignore[arg-type]  # mypy wants a type with one way to make it
            return self._fragment(part())
        return part

    def _keywords(self, part: Mapping[str, Any]) -> Object:
        written: Object = {}
        for keyword, value in part.items():
            if keyword in _VERBATIM:
                written[keyword] = list(value) if isinstance(value, tuple) else value
            elif keyword in _VALUES:
                written[keyword] = self._value(value)
            elif keyword == "prefixItems":
                written[keyword] = [self._value(item) for item in value]
            elif keyword == "properties":
                written[keyword] = {name: self._value(item) for name, item in value.items()}
            else:
                written[keyword] = self._fragment(value)
        return written

    def _shape(self, shape: Shape[Any]) -> Any:  # noqa: ANN401 -- a Fragment is anything
        if id(shape) in self._open:
            name = self._open[id(shape)] or self._name(shape)
            self._open[id(shape)] = name
            return {"$ref": f"#/$defs/{name}"}
        self._open[id(shape)] = ""
        written = self._fragment(shape.schema)
        name = self._open.pop(id(shape))
        if not name:
            return written
        self._definitions[name] = written
        return {"$ref": f"#/$defs/{name}"}

    def _name(self, shape: Shape[Any]) -> str:
        name = slug(shape.words)
        taken = itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2)))
        free = next(name for name in taken if name not in self._definitions)
        self._definitions[free] = {}
        return free

    def _variants(self, part: Mapping[str, Any]) -> Object:
        """Return the schema of mappings whose keys depend on the text under one of them."""
        discriminator, records = part["discriminator"], part["variants"]
        return {
            "type": "object",
            "properties": {discriminator: self._value({"enum": list(records)})},
            "required": [discriminator],
            "allOf": [
                {
                    "if": {"properties": {discriminator: {"const": name}}, "required": [discriminator]},
                    "then": self._fragment(record),
                }
                for name, record in records.items()
            ],
        }


def _takes_any_text(schema: Object) -> bool:
    if not schema:
        return True
    if "$ref" in schema or {"enum", "const", "pattern"} & schema.keys():
        return False
    among = schema.get("anyOf")
    if isinstance(among, list):
        return any(isinstance(item, dict) and _takes_any_text(item) for item in among)
    types = schema.get("type", ())
    return "string" in (types if isinstance(types, (list, tuple)) else (types,))

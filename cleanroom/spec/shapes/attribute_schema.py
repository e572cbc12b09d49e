"""The shape of `schema` of spans: JSON Schema for attributes, as far as attributes go (spec.md section 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cleanroom.spec.attribute_schema import AttributeSchema
from cleanroom.spec.comparator import equal_to, judge
from cleanroom.spec.document import Items, Scalar
from cleanroom.spec.operand import shown, type_matches
from cleanroom.spec.problem import one_of
from cleanroom.spec.shapes.record import Key, Record
from cleanroom.spec.shapes.shape import Shape, boolean, choice, either, integer, items, lazy, regex, table

if TYPE_CHECKING:
    from cleanroom.spec.document import Node
    from cleanroom.spec.operand import Operand
    from cleanroom.spec.shapes.place import Place
    from cleanroom.spec.shapes.record import Fields

TYPES = ("string", "integer", "number", "boolean", "array")
_MODEL = {
    "type": "types",
    "exclusiveMinimum": "exclusive_minimum",
    "exclusiveMaximum": "exclusive_maximum",
    "multipleOf": "multiple_of",
    "minLength": "min_length",
    "maxLength": "max_length",
    "minItems": "min_items",
    "maxItems": "max_items",
}
"""JSON Schema's spelling to the model's."""
_OF_NUMBERS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
_OF_TEXT = ("minLength", "maxLength", "pattern")
_OF_LISTS = ("minItems", "maxItems", "items")
_NEEDED = {
    **dict.fromkeys(_OF_NUMBERS, ("number", "integer")),
    **dict.fromkeys(_OF_TEXT, ("string",)),
    **dict.fromkeys(_OF_LISTS, ("array",)),
}
_BOUNDS = (
    ("minimum", "maximum", False), ("exclusiveMinimum", "maximum", True), ("minimum", "exclusiveMaximum", True),
    ("exclusiveMinimum", "exclusiveMaximum", True), ("minLength", "maxLength", False), ("minItems", "maxItems", False),
)  # fmt: skip
"""Lower and upper bound, and whether they must differ."""


def _number(node: Node, place: Place) -> int | float:
    # Not `number`, which makes floats: integers stay exact to 64 bits.
    if not isinstance(node, Scalar) or not isinstance(node.value, (int, float)) or isinstance(node.value, bool):
        raise place.wrong(node, "a number")
    return node.value


def _positive(node: Node, place: Place) -> int | float:
    value = _number(node, place)
    if value <= 0:
        raise place.wrong(node, "a number above 0", code="wrong-value")
    return value


def _value(node: Node, place: Place) -> Operand:
    if isinstance(node, Items):
        return tuple(_VALUE(item, place.item(index)) for index, item in enumerate(node.items))
    if not isinstance(node, Scalar) or node.value is None:
        raise place.wrong(node, "a value that an attribute may have: text, a number, true, false or a list")
    return node.value


_VALUE = Shape(_value, "a value of an attribute", {"type": ["string", "number", "boolean", "array"]}, example="eu")
_NUMBER = Shape(_number, "a number", {"type": "number"}, example="3")
_type = choice(*TYPES)
_types = either(
    f"{one_of(TYPES)}, or a list of them", scalar=_type.then(lambda found: (found,)), sequence=items(_type, at_least=1)
)
_LENGTH = integer(0)
_attribute = lazy(lambda: attribute_schema, "a mapping")
_SCHEMA = Record(
    place="expect.spans[].schema.<attribute>",
    doc="What an attribute looks like where it is there, in the words of JSON Schema. A value that a keyword cannot be "
    "about (`maximum` of text) breaks it, unless `type` names the value's own type; 3.0 is a number and no integer.",
    keys={
        "type": Key(_types, "The type, or several.", example="string"),
        "required": Key(boolean, "Whether every selected span must have the attribute.", "false", "true"),
        "const": Key(_VALUE, "The only value."),
        "enum": Key(items(_VALUE, at_least=1), "All values there can be.", example="[eu, us]"),
        "minimum": Key(_NUMBER, "The smallest number."),
        "maximum": Key(_NUMBER, "The largest number."),
        "exclusiveMinimum": Key(_NUMBER, "Numbers are greater than this."),
        "exclusiveMaximum": Key(_NUMBER, "Numbers are less than this."),
        "multipleOf": Key(
            Shape(_positive, "a number above 0", {"type": "number", "exclusiveMinimum": 0}, example="5"),
            "Numbers are whole multiples of this.",
        ),
        "minLength": Key(_LENGTH, "The fewest characters of text."),
        "maxLength": Key(_LENGTH, "The most characters of text."),
        "pattern": Key(regex, "A regular expression, searched for in text.", example='"^/"'),
        "minItems": Key(_LENGTH, "The fewest elements of a list."),
        "maxItems": Key(_LENGTH, "The most elements of a list."),
        "items": Key(_attribute, "What each element of a list looks like.", example="{type: string}"),
    },
    not_empty=True,
)


def _schema(node: Node, place: Place) -> AttributeSchema:
    fields = _SCHEMA(node, place)
    values: dict[str, Any] = {_MODEL.get(key, key): value for key, value in fields.values.items()}
    found = AttributeSchema(at=node.at, has_const="const" in values, **values)
    _check_kinds(found, fields, place)
    for low, high, differ in _BOUNDS:
        if low in fields.values and high in fields.values:
            least, largest = fields.values[low], fields.values[high]
            if least > largest or (differ and least == largest):
                message = f"{place.path} can never hold: {low} {shown(least)} and {high} {shown(largest)}"
                place.log.report("impossible", fields.node.key_at(high), message)
    return found


def _check_kinds(found: AttributeSchema, fields: Fields, place: Place) -> None:
    """Report what cannot apply to any value of the type."""
    if found.types:
        for key in fields.written & _NEEDED.keys():
            if not set(found.types).intersection(_NEEDED[key]):
                message = f"{place.path}.{key} is about {one_of(_NEEDED[key])}, and the type is {one_of(found.types)}"
                place.log.report("contradiction", fields.node.key_at(key), message)
        listed = [("enum", value) for value in found.enum] + ([("const", found.const)] if found.has_const else [])
        for key, value in listed:
            if not any(type_matches(value, kind) for kind in found.types):
                message = f"{place.path}.{key} has {shown(value)}, which is no {one_of(found.types)}"
                place.log.report("impossible", fields.node.key_at(key), message)
    if found.has_const and found.enum and not any(judge(equal_to(v), found.const).holds for v in found.enum):
        message = f"{place.path} can never hold: {shown(found.const)} is not in enum"
        place.log.report("impossible", fields.node.key_at("const"), message)


attribute_schema: Shape[AttributeSchema] = Shape(
    _schema, "a mapping", _SCHEMA, example="{type: string, required: true}"
)
"""`{type: …, required: …, …}`."""
attribute_schemas = table(attribute_schema, at_least=1)
"""Attribute to its schema."""

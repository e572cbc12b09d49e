"""The shape of generators (spec.md section 4): a word, or a mapping with the parameters of one."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from cleanroom.spec.document import Items, plain
from cleanroom.spec.generator import (
    BooleanGenerator,
    ChoiceWeightedGenerator,
    FloatGenerator,
    Generator,
    IdentifierGenerator,
    IntegerGenerator,
    ListGenerator,
    OneOfGenerator,
    SequenceGenerator,
    TableDefinitionGenerator,
    TextGenerator,
    UuidGenerator,
    WeightedChoice,
)
from cleanroom.spec.shapes.capture import VARIABLE, identifier
from cleanroom.spec.shapes.place import RefusedError
from cleanroom.spec.shapes.query import scalars
from cleanroom.spec.shapes.record import Key, Record
from cleanroom.spec.shapes.shape import Shape, choice, either, fixed_text, integer, items, lazy, number, table
from cleanroom.spec.templates.runtime_text import RuntimeText

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cleanroom.canonical import Json
    from cleanroom.spec.document import Node
    from cleanroom.spec.shapes.place import Place

_LOWEST, _HIGHEST = -(2**63), 2**63 - 1
_LONGEST = 10_000
_MOST_ITEMS = 1000
_WORDS: Mapping[str, Generator] = MappingProxyType(
    {
        "integer": IntegerGenerator(),
        "float": FloatGenerator(),
        "boolean": BooleanGenerator(),
        "text": TextGenerator(),
        "identifier": IdentifierGenerator(),
        "table_definition": TableDefinitionGenerator(),
        "sequence": SequenceGenerator(),
        "uuid": UuidGenerator(),
    }
)
"""The generators that need no parameters."""


def _bounded(record: Record, made: type[Generator]) -> Shape[Generator]:
    """Return the shape of a generator between `min` and `max`, which must not contradict each other."""

    def read(node: Node, place: Place) -> Generator:
        fields = record(node, place)
        found: Any = made(**fields.values)
        if found.min > found.max:
            at = fields.node.key_at("max" if "max" in fields.written else "min")
            message = f"{place.path} has nothing to choose from: min is {found.min:g} and max is {found.max:g}"
            place.log.report("contradiction", at, message, expected="min at most max")
            raise RefusedError
        generator: Generator = found
        return generator

    return Shape(read, "a mapping", record)


def _known(node: Node, place: Place) -> Json:
    """Return any value, in which no template waits for the run: what is generated is drawn before it."""
    for scalar in scalars(node):
        if isinstance(scalar.value, RuntimeText):
            raise place.too_late(scalar, "a value")
    value: Json = plain(node)
    return value


def _values(node: Node, place: Place) -> tuple[Json, ...]:
    if not isinstance(node, Items):
        raise place.wrong(node, "a list")
    if not node.items:
        raise place.wrong(node, "a list that is not empty", code="empty-list")
    return tuple(_known(item, place.item(index)) for index, item in enumerate(node.items))


_any_value = Shape(_known, "any value", {}, example="GET")
_INTEGER = Record(
    place="a generator.integer",
    doc="Whole numbers between two bounds, both included.",
    keys={
        "min": Key(integer(_LOWEST, _HIGHEST), "The least.", default="0", example="1", errors=("contradiction",)),
        "max": Key(integer(_LOWEST, _HIGHEST), "The greatest.", default="2147483647", example="100",
                   errors=("contradiction",)),
    },
)  # fmt: skip
_FLOAT = Record(
    place="a generator.float",
    doc="Finite numbers between two bounds, both included.",
    keys={
        "min": Key(number(), "The least.", default="0", example="-1.5", errors=("contradiction",)),
        "max": Key(number(), "The greatest.", default="1", example="1.5", errors=("contradiction",)),
    },
)
_TEXT = Record(
    place="a generator.text",
    doc="Text of bounded length.",
    keys={
        "min": Key(integer(0, _LONGEST), "The fewest characters.", default="0", errors=("contradiction",)),
        "max": Key(integer(0, _LONGEST), "The most characters.", default="20", example="8", errors=("contradiction",)),
        "alphabet": Key(
            fixed_text, "The characters it is made of; by default those of printable ASCII.", example="abc"
        ),
    },
)
_IDENTIFIER = Record(
    place="a generator.identifier",
    doc="Names that begin with a lower-case letter and go on with letters, digits and underscores.",
    keys={"max": Key(integer(1, 200), "The most characters.", default="30", example="12")},
)
_LIST = Record(
    place="a generator.list",
    doc="Lists of generated values.",
    keys={
        "of": Key(lazy(lambda: generator, "a generator"), "What generates each value.", example="integer"),
        "min": Key(integer(0, _MOST_ITEMS), "The fewest values.", default="0", errors=("contradiction",)),
        "max": Key(integer(0, _MOST_ITEMS), "The most values.", default="10", example="3", errors=("contradiction",)),
    },
    required=("of",),
)
_TABLE = Record(
    place="a generator.table_definition",
    doc="Definitions of tables: a mapping with `name` and `columns`, a list of `{name, type}`.",
    keys={"columns": Key(integer(1, 100), "The most columns; there is at least one.", default="5", example="3")},
)
_SEQUENCE = Record(
    place="a generator.sequence",
    doc="Whole numbers in order, each given once over all workers.",
    keys={
        "start": Key(integer(_LOWEST, _HIGHEST), "The first number.", default="1", example="1000"),
        "step": Key(integer(1, 2**31 - 1), "How much more each next one is.", default="1", example="10"),
    },
)
_WEIGHTED = Record(
    place="a generator.choice_weighted[]",
    doc="A value, and how likely it is.",
    keys={
        "value": Key(_any_value, "The value."),
        "weight": Key(number(0, above=True), "How likely it is in proportion to the others.", default="1", example="9"),
    },
    required=("value",),
)
_GENERATORS: dict[str, Key] = {
    "integer": Key(_bounded(_INTEGER, IntegerGenerator), "Whole numbers.", example="{min: 1, max: 100}"),
    "float": Key(_bounded(_FLOAT, FloatGenerator), "Numbers.", example="{min: -1.5, max: 1.5}"),
    "text": Key(_bounded(_TEXT, TextGenerator), "Text.", example="{min: 1, max: 8, alphabet: abc}"),
    "identifier": Key(_IDENTIFIER.making(IdentifierGenerator), "Names.", example="{max: 12}"),
    "one_of": Key(
        Shape(_values, "a list that is not empty", {"type": "array", "minItems": 1}, example="[eu, us]").then(
            lambda values: OneOfGenerator(values=values)
        ),
        "One of these values, each equally likely.",
    ),
    "list": Key(_bounded(_LIST, ListGenerator), "Lists.", example="{of: integer, max: 3}"),
    "table_definition": Key(
        _TABLE.making(TableDefinitionGenerator), "Definitions of database tables.", example="{columns: 3}"
    ),
    "sequence": Key(_SEQUENCE.making(SequenceGenerator), "Numbers in order, none twice.", example="{start: 1000}"),
    "choice_weighted": Key(
        items(_WEIGHTED.making(WeightedChoice), at_least=1).then(
            lambda choices: ChoiceWeightedGenerator(choices=choices)
        ),
        "One of several values, some more likely than others.",
        example="[{value: GET, weight: 9}, {value: POST}]",
    ),
}  # fmt: skip
_GENERATOR = Record(
    place="a generator",
    doc="What draws values from the seed. Those that can do without parameters may be written as a word: "
    f"{', '.join(f'`{word}`' for word in _WORDS)}.",
    keys=_GENERATORS,
    exactly_one=tuple(_GENERATORS),
    advice=MappingProxyType({
        name: f"write it as a word, {name}: it has no parameters" for name in ("boolean", "uuid")
    }),
)  # fmt: skip
generator: Shape[Generator] = either(
    "a generator: a word such as integer, or a mapping such as {integer: {max: 10}}",
    scalar=choice(*_WORDS).then(lambda word: _WORDS[word]),
    mapping=_GENERATOR.into(lambda fields: fields.only(_GENERATOR.exactly_one)[1]),
)
"""A word, or one generator with its parameters."""
generators = table(generator, identifier, keys={"pattern": f"^{VARIABLE}$"}, at_least=1)
"""Names to generators."""

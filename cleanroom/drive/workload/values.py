"""The values of an operation: drawn from a stream of its own, so that they depend on the seed and its number alone."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from cleanroom.canonical import Json
from cleanroom.plan.stream import Stream
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
)
from cleanroom.spec.identifier import COLUMN_TYPES, FIRST, FURTHER, LONGEST, unreserved


def draw_all(generators: Mapping[str, Generator], stream: Stream, number: int) -> dict[str, Json]:
    """Return the value of each name for operation `number` (from 0); a part of `stream` is drawn for each name."""
    return {name: draw(generator, stream.part(name), number) for name, generator in generators.items()}


def draw(generator: Generator, stream: Stream, number: int) -> Json:  # noqa: C901, PLR0911 - a case for each kind
    """Return one value; `number` is the operation's, by which a sequence counts."""
    match generator:
        case IntegerGenerator():
            return stream.integer(generator.min, generator.max)
        case FloatGenerator():
            share = stream.uniform()
            # The difference of two large numbers may not be one: the sum of their shares always is.
            return min(max(generator.min * (1 - share) + generator.max * share, generator.min), generator.max)
        case BooleanGenerator():
            return stream.below(2) == 1
        case TextGenerator():
            length = stream.integer(generator.min, generator.max) if generator.alphabet else 0
            return "".join(stream.choice(generator.alphabet) for _ in range(length))
        case IdentifierGenerator():
            return identifier(stream, generator.max)
        case OneOfGenerator():
            return stream.choice(generator.values)
        case ListGenerator():
            count = stream.integer(generator.min, generator.max)
            return [draw(generator.of, stream.part(str(place)), number) for place in range(count)]
        case TableDefinitionGenerator():
            return _table(stream, generator.columns)
        case SequenceGenerator():
            return generator.start + generator.step * number
        case UuidGenerator():
            return str(uuid.UUID(int=stream.below(2**64) << 64 | stream.below(2**64), version=4))
        case ChoiceWeightedGenerator(choices=choices):
            return choices[weighted(stream, tuple(choice.weight for choice in choices))].value


def weighted(stream: Stream, weights: tuple[float, ...]) -> int:
    """Draw a place in `weights`, each as likely as its weight says."""
    wanted = stream.uniform() * sum(weights)
    for place, weight in enumerate(weights):
        wanted -= weight
        if wanted < 0:
            return place
    return len(weights) - 1


def identifier(stream: Stream, most: int) -> str:
    """Draw a name that any database takes unquoted: reserved words are not among them."""
    length = stream.integer(1, most)
    return unreserved(stream.choice(FIRST) + "".join(stream.choice(FURTHER) for _ in range(length - 1)))


def _table(stream: Stream, most: int) -> Json:
    columns: list[Json] = []
    names: set[str] = set()
    for place in range(stream.integer(1, most)):
        name = identifier(stream, LONGEST)
        while name in names:
            name = f"{name[:24]}_{place}"
        names.add(name)
        columns.append({"name": name, "type": stream.choice(COLUMN_TYPES)})
    return {"name": identifier(stream, LONGEST), "columns": columns}

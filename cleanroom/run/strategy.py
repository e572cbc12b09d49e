"""What hypothesis draws for each generator of a property; the simplest value of each comes first when it shrinks."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, Final

from hypothesis import strategies as st

from cleanroom.canonical import Json
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
from cleanroom.spec.identifier import COLUMN_TYPES, FIRST, FURTHER, LONGEST, unreserved

_MOST_IN_SEQUENCE: Final = 10_000
_PARTS: Final = 10_000


def examples_of(given: Mapping[str, Generator]) -> st.SearchStrategy[dict[str, Any]]:
    """Return the strategy of whole examples: a value for each name."""
    return st.fixed_dictionaries({name: strategy_of(generator) for name, generator in given.items()})


def strategy_of(generator: Generator) -> st.SearchStrategy[Any]:  # noqa: C901, PLR0911 - a case for each kind
    """Return the strategy of one generator's values: JSON values all of them."""
    match generator:
        case IntegerGenerator(min=least, max=most):
            return st.integers(least, most)
        case FloatGenerator(min=low, max=high):
            return st.floats(low, high, allow_nan=False, allow_infinity=False)
        case BooleanGenerator():
            return st.booleans()
        case TextGenerator(min=least, max=most, alphabet=alphabet):
            return st.text(alphabet, min_size=least, max_size=most) if alphabet else st.just("")
        case IdentifierGenerator(max=most):
            return _identifiers(most)
        case OneOfGenerator(values=values):
            return st.sampled_from(values)
        case ListGenerator(of=of, min=least, max=most):
            return st.lists(strategy_of(of), min_size=least, max_size=most)
        case TableDefinitionGenerator(columns=most):
            return _tables(most)
        case SequenceGenerator(start=start, step=step):
            return st.integers(0, _MOST_IN_SEQUENCE).map(lambda number: start + step * number)
        case UuidGenerator():
            return st.uuids(version=4).map(str)
        case ChoiceWeightedGenerator(choices=choices):
            return _weighted(choices)


def _identifiers(most: int) -> st.SearchStrategy[str]:
    """Names that any database takes unquoted."""
    first, rest = st.sampled_from(FIRST), st.text(FURTHER, max_size=most - 1)
    return st.builds("{}{}".format, first, rest).map(unreserved)


def _tables(most: int) -> st.SearchStrategy[dict[str, Json]]:
    column = st.fixed_dictionaries({"name": _identifiers(LONGEST), "type": st.sampled_from(COLUMN_TYPES)})
    columns = st.lists(column, min_size=1, max_size=most, unique_by=lambda one: one["name"])
    parts: dict[str, st.SearchStrategy[Any]] = {"name": _identifiers(LONGEST), "columns": columns}
    return st.fixed_dictionaries(parts)


def _weighted(choices: Sequence[WeightedChoice]) -> st.SearchStrategy[Json]:
    ends = list(accumulate(choice.weight for choice in choices))
    last = len(choices) - 1

    def value_at(part: int) -> Json:
        choice = choices[min(bisect_right(ends, part * ends[-1] / _PARTS), last)]
        return choice.value

    return st.integers(0, _PARTS - 1).map(value_at)

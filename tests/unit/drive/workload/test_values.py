from __future__ import annotations

import re
import uuid
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from cleanroom.drive.workload.values import draw, draw_all, identifier, weighted
from cleanroom.plan.stream import Stream
from cleanroom.spec.generator import (
    BooleanGenerator,
    ChoiceWeightedGenerator,
    FloatGenerator,
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

STREAMS = st.integers(0, 2**64).map(lambda number: Stream("ab" * 32).part(str(number)))
FLOATS = st.floats(allow_nan=False, allow_infinity=False)


@given(STREAMS, st.integers(-(2**63), 2**63 - 1), st.integers(-(2**63), 2**63 - 1))
def test_integers_lie_between_their_bounds(stream, one, other):
    low, high = sorted((one, other))
    assert low <= draw(IntegerGenerator(min=low, max=high), stream, 0) <= high


@given(STREAMS, FLOATS, FLOATS)
def test_floats_lie_between_their_bounds(stream, one, other):
    low, high = sorted((one, other))
    assert low <= draw(FloatGenerator(min=low, max=high), stream, 0) <= high


@given(STREAMS, st.integers(0, 9), st.integers(0, 9), st.text(min_size=1, max_size=4))
def test_texts_have_their_length_and_alphabet(stream, one, other, alphabet):
    least, most = sorted((one, other))
    found = draw(TextGenerator(min=least, max=most, alphabet=alphabet), stream, 0)
    assert least <= len(found) <= most
    assert set(found) <= set(alphabet)


@given(STREAMS, st.integers(1, 200))
def test_identifiers_are_names_that_databases_take_unquoted(stream, most):
    found = draw(IdentifierGenerator(max=most), stream, 0)
    assert re.fullmatch(r"[a-z][a-z0-9_]*", found)
    assert 1 <= len(found) <= most
    assert found not in ("in", "is", "or", "as", "by", "to", "do", "if", "on", "of", "all", "and", "any")


def test_no_reserved_word_is_drawn_where_every_word_is_short():
    stream = Stream("cd" * 32)
    found = {identifier(stream.part(str(n)), 2) for n in range(20_000)}
    assert not found & {"in", "is", "or", "as", "by", "to", "do", "if", "on", "of"}
    assert {"i_", "o_"} & found


@given(STREAMS)
def test_choices_are_of_what_was_given(stream):
    assert draw(OneOfGenerator(values=("a", 2, None)), stream, 0) in ("a", 2, None)
    assert draw(BooleanGenerator(), stream, 0) in (True, False)
    found = draw(ListGenerator(of=IntegerGenerator(max=3), min=1, max=4), stream, 0)
    assert 1 <= len(found) <= 4
    assert all(0 <= item <= 3 for item in found)
    assert uuid.UUID(draw(UuidGenerator(), stream, 0)).version == 4


@given(STREAMS, st.integers(1, 100))
def test_tables_have_columns_of_different_names(stream, most):
    table = draw(TableDefinitionGenerator(columns=most), stream, 0)
    names = [column["name"] for column in table["columns"]]
    assert 1 <= len(names) <= most
    assert len(set(names)) == len(names)
    assert all(column["type"] for column in table["columns"])


def test_weights_are_kept_in_the_long_run():
    choices = (WeightedChoice(value="often", weight=9), WeightedChoice(value="rare", weight=1))
    stream = Stream("ef" * 32)
    found = Counter(draw(ChoiceWeightedGenerator(choices=choices), stream.part(str(n)), 0) for n in range(5000))
    assert 0.88 < found["often"] / 5000 < 0.92
    assert weighted(stream, (0.1,)) == 0


def test_a_sequence_counts_by_the_operation_and_a_value_by_the_seed_alone():
    generators = {"id": SequenceGenerator(start=100, step=10), "n": IntegerGenerator(), "m": IntegerGenerator()}
    drawn = [draw_all(generators, Stream("ab" * 32).part(str(number)), number) for number in range(50)]
    assert [one["id"] for one in drawn] == [100 + 10 * number for number in range(50)]
    assert drawn == [draw_all(generators, Stream("ab" * 32).part(str(number)), number) for number in range(50)]
    assert len({one["n"] for one in drawn}) > 45
    assert all(one["n"] != one["m"] for one in drawn)

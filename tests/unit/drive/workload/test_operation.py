from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.drive.workload.operation import MOST_VALUE, Operation, Operations
from tests.unit.drive.workload.journals import BEGAN, operations

OPERATIONS = st.builds(
    Operation, index=st.just(0), worker=st.integers(0, 99), name=st.text(max_size=5), intended_ns=st.integers(0, 2**62),
    start_ns=st.integers(0, 2**62), end_ns=st.integers(0, 2**62), outcome=st.sampled_from(["ok", "allowed", "failed"]),
    error_type=st.sampled_from(["", "timeout", "sql:40001"]), attempts=st.integers(1, 1000),
    value=st.none() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])) | st.lists(st.booleans()),
)  # fmt: skip


@given(st.lists(OPERATIONS))
def test_what_is_appended_is_what_is_there(given_ones):
    found = Operations()
    for each in given_ones:
        found.append(each)
    assert [vars_of(one) for one in found] == [vars_of(one) for one in given_ones]
    assert [one.index for one in found] == list(range(len(given_ones)))
    assert sum(found.counts().values()) == len(given_ones)
    assert [value for _, value in found.acknowledged()] == [o.value for o in given_ones if o.outcome == "ok"]


def vars_of(one):
    return (
        one.worker, one.name, one.intended_ns, one.start_ns, one.end_ns, one.outcome, one.error_type, one.value,
        one.attempts,
    )  # fmt: skip


@given(st.lists(OPERATIONS))
def test_they_are_in_the_order_of_their_intended_starts(given_ones):
    found = Operations()
    for each in given_ones:
        found.append(each)
    ordered = found.by_intended()
    assert sorted(map(repr, map(vars_of, ordered))) == sorted(map(repr, map(vars_of, found)))
    places = [(one.intended_ns, one.worker) for one in ordered]
    assert places == sorted(places)


def test_latency_counts_from_the_intended_start():
    (one,) = operations(1)
    assert one.latency_ns == 1000
    assert (operations(3)[-1], operations(3)[1:]) == (operations(3)[2], (operations(3)[1], operations(3)[2]))
    with pytest.raises(IndexError, match="no operation 3 of 3"):
        _ = operations(3)[3]


def test_a_value_that_is_too_long_is_counted_as_lost():
    found = operations(1)
    found.append(
        Operation(
            index=1, worker=0, name="w", intended_ns=1, start_ns=1, end_ns=2, outcome="ok", value="x" * MOST_VALUE
        )
    )
    assert (found[1].value, found.values_lost) == (None, 1)
    assert found.by_intended().values_lost == 1
    assert found[1].index == 1


def test_an_outcome_that_is_none_is_refused_and_leaves_no_half_of_a_row():
    found = operations(1)
    with pytest.raises(ValueError, match="not in tuple"):
        found.append_row((0, "a", 1, 1, 1), ("bad", "", 1), b"")  # type: ignore[arg-type]
    assert len(found) == 1
    assert found == operations(1)
    assert found != operations(2)


def test_an_operation_costs_little_memory():
    tracemalloc.start()
    try:
        found = Operations()
        for index in range(20_000):
            found.append_row((1, "w", BEGAN + index, BEGAN + index, BEGAN), ("ok", "", 1), b"12345678")
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # A million of them are asked to fit into 300 MB.
    assert used / len(found) < 150

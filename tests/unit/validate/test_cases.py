"""How many cases the tables of the judge have together, and that both outcomes of every rule in them are seen."""

from __future__ import annotations

from tests.unit.validate.cases import CASES
from tests.unit.validate.graph_cases import CASES as GRAPHS
from tests.unit.validate.test_timing import TABLE


def test_the_tables_have_as_many_cases_as_were_promised_each_with_its_contrary():
    of_time = [holds for *_, holds in TABLE.values()]

    assert len(CASES) + len(GRAPHS) + min(of_time.count(True), of_time.count(False)) >= 300
    assert all(case.holds != case.breaks for case in CASES)
    assert all(right != wrong for _, right, wrong in GRAPHS.values())

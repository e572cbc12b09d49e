"""Time lines: whole drawings, what they leave out, and that no name in one commands a terminal or a browser."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from cleanroom.report.timeline import svg, text
from cleanroom.report.timeline.model import MOST_BANDS, Column, timelines
from tests.unit.report import runs
from tests.unit.report.workloads import HOSTILE_JOURNAL, SLOW, journal, worked


def one(record=None, columns=30):
    (found,) = timelines(record or worked(), 0, columns)
    return found


def test_the_drawing_as_characters(snapshot):
    assert text.text(one(columns=text.COLUMNS)) == snapshot


def test_the_picture(snapshot):
    drawn = svg.svg(one())
    ET.fromstring(drawn)  # noqa: S314 -- our own text
    assert drawn == snapshot


def test_operations_stand_in_the_column_in_which_they_were_due():
    line = one(columns=4)
    assert [c.operations for c in line.columns] == [5, 5, 5, 5]
    assert [c.succeeded for c in line.columns] == [5, 1, 4, 5]
    assert (line.operations, line.succeeded, line.slowest) == (20, 15, 400_000_000)
    assert line.bands[0].fault == "slow-db"


def test_a_journal_without_an_operation_is_not_drawn_and_no_workload_no_line():
    assert timelines(worked(workloads=(journal("empty", ()),)), 0, 10) == ()
    assert timelines(runs.scenario_record(), 0, 10) == ()


def test_one_operation_that_took_no_time_is_drawn():
    line = one(worked(workloads=(journal("orders", ((0, 0, "ok"),)),)))
    assert line.columns[0] == Column(1, 1, 0)
    assert "1 operation in" in text.text(line)
    ET.fromstring(svg.svg(line))  # noqa: S314 -- our own text


def test_one_failure_of_a_thousand_does_not_look_like_none():
    many = [(number, 1, "ok") for number in range(1000)]
    whole = text.text(one(worked(workloads=(journal("o", many),)), columns=1)).splitlines()[1]
    marred = text.text(one(worked(workloads=(journal("o", [*many[:-1], (999, 1, "failed")]),)), columns=1))
    assert "|█|" in whole
    assert "|▇|" in marred.splitlines()[1]


def test_faults_beyond_a_number_are_counted():
    faults = tuple(replace(SLOW, id=f"fault-{number}") for number in range(MOST_BANDS + 3))
    line = one(worked(faults=faults))
    assert (len(line.bands), line.hidden) == (MOST_BANDS, 3)
    assert "and 3 more faults, not drawn" in text.text(line)
    assert "and 3 more faults, not drawn" in svg.svg(line)


@pytest.mark.parametrize("draw", [text.text, svg.svg])
def test_no_name_commands_a_terminal_a_log_or_a_browser(draw):
    record = worked(
        name=runs.HOSTILE, faults=(replace(SLOW, id=runs.HOSTILE),),
        workloads=(journal(HOSTILE_JOURNAL, ((0, 1, "ok"),)),),
    )  # fmt: skip
    drawn = draw(one(record))
    assert not any(line.lstrip().startswith(("::", "##[")) for line in drawn.splitlines())
    assert "\x1b" not in drawn
    assert "\x00" not in drawn
    if draw is svg.svg:
        assert "<img" not in drawn
        assert "<script" not in drawn
        ET.fromstring(drawn)  # noqa: S314 -- our own text

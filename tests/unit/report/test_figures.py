"""Figures and time lines in every report of a run with a workload."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from cleanroom.report.console import render_console
from cleanroom.report.figures import timeline_files
from cleanroom.report.json_report import render_json
from cleanroom.report.junit import render_junit
from cleanroom.report.summary import render_summary
from cleanroom.report.write import write_report
from tests.unit.report import runs
from tests.unit.report.test_json_report import VALIDATOR
from tests.unit.report.workloads import USED, journal, worked, working


def turn(report):
    document = json.loads(render_json(report))
    assert [error.message for error in VALIDATOR.iter_errors(document)] == []
    return document["suites"][0]["scenarios"][0]["iterations"][0]


def test_report_json_has_each_figure_in_its_unit():
    found = {(one["journal"], one["figure"]): (one["value"], one["unit"]) for one in turn(working())["figures"]}
    assert found["orders", "operations"] == (20, "{operation}")
    assert found["orders", "success_rate"] == (0.75, "1")
    assert found["orders", "latency.p99"] == (0.4, "s")
    assert found["orders", "detection_time"] == (0.5, "s")
    assert found["orders", "rto"] == (pytest.approx(0.621), "s")
    assert ("orders", "rpo") not in found


def test_report_json_has_the_windows_of_unavailability():
    window, *others = turn(working())["unavailability"]
    # A failure that is told late, while others succeed, is a window as well: from the last success before it.
    assert [one["journal"] for one in others] == ["orders"] * 3
    assert int(window["end_ns"]) - int(window["start_ns"]) == 521 * 10**6


def test_a_run_without_a_workload_has_no_figures():
    assert (turn(runs.passing())["figures"], turn(runs.passing())["unavailability"]) == ([], [])
    assert list(timeline_files(runs.passing())) == []


def test_what_a_service_used_stands_with_it():
    (service, *others) = worked().services
    used = turn(working(services=(replace(service, resources=USED), *others)))["services"]
    assert used[0]["resources"]["memory_peak_by"] == "kernel"
    assert used[0]["resources"]["growth_bytes"] == 2**20
    assert used[1]["resources"] is None


def test_junit_has_the_figures_as_properties():
    text = render_junit(working())
    assert 'name="cleanroom.figure.happy.orders.latency.p99.iteration-1" value="400ms"' in text


def test_the_workloads_stand_in_the_summary_and_on_the_console(snapshot):
    summary = render_summary(working())
    assert summary[summary.index("### Workloads") :].split("\n### ")[0] == snapshot(name="summary")
    assert render_console(working()) == snapshot(name="console")


def test_each_time_line_is_a_file_of_its_own(tmp_path):
    twice = working(workloads=(journal("a/b", ((0, 1, "ok"),)), journal("a:b", ((0, 1, "ok"),))))
    names = [name for name, _ in timeline_files(twice)]
    assert len(set(names)) == len(names) == 2 * len(twice.session.suites[0].iterations)
    written = write_report(twice, tmp_path)
    assert {tmp_path / name for name in names} <= set(written)

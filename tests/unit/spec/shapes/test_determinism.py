from __future__ import annotations

import pytest

from cleanroom.quantity import Duration
from cleanroom.spec.determinism import Buckets, Determinism, Normalize, Replacement
from cleanroom.spec.instant import Instant
from cleanroom.spec.shapes.determinism import NUISANCES, determinism
from tests.unit.spec.shapes.reading import accepted, deferred, read

ALL_NUISANCES = f"[{', '.join(NUISANCES)}]"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{}", Determinism()),
        ("{iterations: 100}", Determinism(iterations=100)),
        ("{seed: 0}", Determinism(seed=0)),
        ("{seed: 9223372036854775807}", Determinism(seed=2**63 - 1)),
        ("{seed: random}", Determinism(random_seed=True)),
        ("{identical: false}", Determinism(identical=False)),
        ("{freeze_clock: 2025-01-01T00:00:00Z}", Determinism(freeze_clock=Instant(1735689600 * 10**9))),
        ("{parallel: 3}", Determinism(parallel=3)),
        ("{normalize: {drop: [a.*]}}", Determinism(normalize=Normalize(drop=("a.*",)))),
        ("{normalize: {keep: [a]}}", Determinism(normalize=Normalize(keep=("a",)))),
        ("{normalize: {siblings: by_start}}", Determinism(normalize=Normalize(siblings="by_start"))),
        ("{normalize: {durations: drop}}", Determinism()),
        (
            "{normalize: {durations: {bucket: 100ms}}}",
            Determinism(normalize=Normalize(durations=Buckets(bucket=Duration(10**8)))),
        ),
        (
            '{normalize: {replace: [{pattern: "[0-9]+", with: ""}]}}',
            Determinism(normalize=Normalize(replace=(Replacement(pattern="[0-9]+", replacement=""),))),
        ),
        (f"{{iterations: 6, vary: {ALL_NUISANCES}}}", Determinism(iterations=6, vary=NUISANCES)),
        ("{compare: [trace, steps, output]}", Determinism(compare=("trace", "steps", "output"))),
    ],
)
def test_each_key_has_its_place_in_the_model(source, expected):
    assert accepted(determinism, source) == expected


@pytest.mark.parametrize(
    "source",
    [
        "{iterations: 2, seed: 1, identical: true, parallel: 1, normalize: {drop: [a], durations: drop}}",
        "{freeze_clock: 2025-01-01T00:00:00Z}",
        "{vary: [locale]}",
        "{compare: [trace], normalize: {durations: {bucket: 1s}}}",
    ],
)
def test_run_carries_all_of_it_out(source):
    assert deferred(determinism, source) == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("{iterations: 0}", ("wrong-value", 2, 15)),
        ("{iterations: 101}", ("wrong-value", 2, 15)),
        ('{iterations: "5"}', ("wrong-type", 2, 15)),
        ("{seed: -1}", ("wrong-value", 2, 9)),
        ("{seed: 9223372036854775808}", ("wrong-value", 2, 9)),
        ("{seed: rand}", ("wrong-type", 2, 9)),
        ("{seed: true}", ("wrong-type", 2, 9)),
        ("{identical: yes}", ("wrong-type", 2, 14)),
        ("{freeze_clock: true}", ("wrong-type", 2, 17)),
        ("{freeze_clock: 2025-13-01T00:00:00Z}", ("wrong-value", 2, 17)),
        ("{parallel: 0}", ("wrong-value", 2, 13)),
        ("{vary: [weather]}", ("wrong-value", 2, 10)),
        ("{vary: []}", ("empty-list", 2, 9)),
        ("{vary: [locale, locale]}", ("duplicate-nuisance", 2, 18)),
        ("{compare: [traces]}", ("wrong-value", 2, 13)),
        ("{compare: [trace, trace]}", ("duplicate-part", 2, 20)),
        ("{normalize: {durations: keep}}", ("wrong-value", 2, 26)),
        ("{normalize: {durations: {bucket: 0s}}}", ("wrong-value", 2, 35)),
        ("{normalize: {durations: {}}}", ("missing-key", 2, 26)),
        ("{normalize: {siblings: sorted}}", ("wrong-value", 2, 25)),
        ('{normalize: {replace: [{pattern: "(", with: x}]}}', ("wrong-value", 2, 35)),
        ("{normalize: {replace: [{pattern: a}]}}", ("missing-key", 2, 25)),
        ("{repeat: 5}", ("unknown-key", 2, 3)),
    ],
)
def test_what_does_not_fit_is_refused_where_it_stands(source, found):
    reading = read(determinism, source)
    assert found in reading.found
    assert {code for code, *_ in reading.found} <= {found[0], "missing-key"}


@pytest.mark.parametrize(
    ("source", "is_refused"),
    [
        ("{iterations: 2, vary: [locale]}", False),
        ("{iterations: 1, vary: [locale]}", True),
        (f"{{vary: {ALL_NUISANCES}}}", True),
        ("{vary: [locale, cpus, hostname, timezone]}", False),
    ],
)
def test_there_are_more_iterations_than_nuisances(source, is_refused):
    at = source.index("vary") + 2
    assert read(determinism, source).found == ([("contradiction", 2, at)] if is_refused else [])


def test_a_broken_number_of_iterations_is_not_compared_with_the_nuisances():
    assert read(determinism, f"{{iterations: 0, vary: {ALL_NUISANCES}}}").codes == ["wrong-value"]

from __future__ import annotations

import pytest

from cleanroom.spec.capability import ALLOWED, REFUSED
from cleanroom.spec.shapes.volume import capability, volume
from cleanroom.spec.volume import BindVolume, NamedVolume
from tests.unit.spec.shapes.reading import accepted, read


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{source: ./f, target: /f}", BindVolume(source="./f", target="/f", read_only=True)),
        ("{source: f, target: /a/b/, read_only: false}", BindVolume(source="f", target="/a/b", read_only=False)),
        ("{name: data, target: /var//lib}", NamedVolume(name="data", target="/var/lib")),
    ],
)
def test_a_volume_is_a_copy_or_a_fresh_one(source, expected):
    assert accepted(volume, source) == expected


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("{source: f}", ("missing-key", 2, 2)),
        ("{target: /f}", ("one-of", 2, 2)),
        ("{source: f, name: data, target: /f}", ("one-of", 2, 14)),
        ("{name: data, target: /f, read_only: true}", ("missing-key", 2, 27)),
        ("{name: Data, target: /f}", ("wrong-value", 2, 9)),
        ("{name: a/b, target: /f}", ("wrong-value", 2, 9)),
        ("{source: f, target: f}", ("wrong-value", 2, 22)),
        ("{source: f, target: /}", ("wrong-value", 2, 22)),
        ("{source: f, target: /a/../b}", ("wrong-value", 2, 22)),
        ("{source: f, target: /f, read_only: maybe}", ("wrong-type", 2, 37)),
        ("{source: [f], target: /f}", ("wrong-type", 2, 11)),
        ("./f:/f", ("wrong-type", 2, 2)),
        ("{source: f, target: /f, mode: ro}", ("unknown-key", 2, 26)),
    ],
)
def test_what_is_no_volume_is_refused_where_it_stands(source, found):
    assert read(volume, source).found == [found]


@pytest.mark.parametrize("name", ALLOWED)
def test_a_capability_that_stays_in_the_container_is_taken(name):
    assert accepted(capability, name) == name


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("prefix", ["", "CAP_"])
def test_a_capability_that_reaches_further_is_refused_with_its_reason(name, prefix):
    (problem,) = read(capability, prefix + name).problems
    assert problem.code == "wrong-value"
    assert problem.message.endswith(REFUSED[name])


@pytest.mark.parametrize(
    ("written", "suggestion"),
    [
        ("CAP_KILL", "did you mean KILL?"),
        ("kill", "did you mean KILL?"),
        ("NET_RAWW", "did you mean NET_RAW?"),
        ("X", ""),
    ],
)
def test_another_spelling_is_refused_and_the_name_told(written, suggestion):
    (problem,) = read(capability, written).problems
    assert (problem.code, problem.suggestion) == ("wrong-value", suggestion)

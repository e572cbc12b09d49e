from __future__ import annotations

import pytest

from cleanroom.plan.words import words
from cleanroom.quantity import Duration, Rate, Size
from cleanroom.spec.comparator import Comparator
from cleanroom.spec.instant import Instant
from cleanroom.spec.pattern import Pattern
from cleanroom.spec.probe import Probe, TcpProbe
from cleanroom.spec.query import HttpAction


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "null"),
        (True, "true"),
        (0.5, "0.5"),
        ("a b/c", "a b/c"),
        ("a: b", '"a: b"'),
        ("", '""'),
        ("line\nbreak", '"line\\nbreak"'),
        (Duration(2 * 10**9), "2s"),
        (Size(3 * 2**20), "3MiB"),
        (Size(1025), "1025B"),
        (Size(0), "0B"),
        (Rate(1000), "1000bit/s"),
        (Instant(0), "1970-01-01T00:00:00Z"),
        (("a", 1), "[a, 1]"),
        ({"a": ("b",)}, "{a: [b]}"),
        (Comparator(tests=(("eq", 3),)), "3"),
        (Comparator(tests=(("gte", 1), ("lt", 5))), "{gte: 1, lt: 5}"),
        (Pattern("GET *"), "GET *"),
        (Pattern("^GET", regex=True), '{regex: "^GET"}'),
        (HttpAction(service="api", path="/x"), "http {service: api, path: /x}"),
        (
            Probe(question=TcpProbe(service="db", port=5), timeout=Duration(10**9)),
            "tcp {service: db, port: 5} timeout=1s",
        ),
    ],
)
def test_values_are_written_as_a_spec_would(value, expected):
    assert words(value) == expected


def test_what_is_no_value_of_a_spec_is_refused():
    with pytest.raises(TypeError, match="is not a value of a spec"):
        words(object())

from __future__ import annotations

import hashlib
import json

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from cleanroom.canonical import canonical_bytes, digest

SAFE = 2**53 - 1
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-SAFE, SAFE) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("value", "data"),
    [
        # The examples of RFC 8785, sections 3.2.2 and 3.2.3.
        (
            {
                "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
                "literals": [None, True],
            },
            b'{"literals":[null,true],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27]}',
        ),
        (
            {"\u20ac": 1, "\r": 2, "1": 3, "\ufb33": 4, "\U0001f600": 5},
            '{"\\r":2,"1":3,"€":1,"😀":5,"\ufb33":4}'.encode(),
        ),
        (1.0, b"1"),
        (-0.0, b"0"),
        ("\u20ac$\u000f\nA'\"\\", '"€$\\u000f\\nA\'\\"\\\\"'.encode()),
    ],
)
def test_the_bytes_are_those_of_the_rfc(value, data):
    assert canonical_bytes(value) == data


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 2**53, -(2**53), "\ud800", {"\udfff": 1}])
def test_what_has_no_single_form_is_refused(value):
    for whole in (value, [value], {"a": value}):
        with pytest.raises(ValueError, match=r"."):
            canonical_bytes(whole)


@pytest.mark.parametrize("value", [b"x", {1}, object()])
def test_what_is_no_json_is_refused(value):
    with pytest.raises(ValueError, match="is no JSON"):
        canonical_bytes([value])


@given(JSON)
def test_the_bytes_are_json_of_the_same_value_and_stay_as_they_are(value):
    data = canonical_bytes(value)
    # As the RFC has it, every number is a double; Python would make integers of large ones.
    back = json.loads(data, parse_int=float)
    assert back == value
    assert canonical_bytes(back) == data


@given(st.dictionaries(st.text(), st.integers(0, 9), max_size=6), st.randoms())
def test_the_order_of_keys_means_nothing(value, random):
    keys = list(value)
    random.shuffle(keys)
    assert canonical_bytes({k: value[k] for k in keys}) == canonical_bytes(value)


@given(JSON)
@example({"\ufb33": 1, "\U0001f600": 2, "e\u0301": 3, "": 4})
@example(["\x7f", "\x00\x1f\b\f\n\r\t\u2028", True, 1, 1.0, -0.0, 5e-324, 1e21, 1e20, 123456789012345680.0, 1e-7])
def test_the_reference_implementation_writes_the_same(value):
    assert canonical_bytes(value) == rfc8785.dumps(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_is_written_as_the_reference_does(value):
    assert canonical_bytes(value) == rfc8785.dumps(value)


def test_a_digest_names_its_algorithm():
    assert digest({"a": 1}) == "sha256:" + hashlib.sha256(b'{"a":1}').hexdigest()
    assert digest({"a": 1}) != digest({"a": "1"})

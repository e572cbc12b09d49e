from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymysql.constants import FIELD_TYPE

from cleanroom.drive.sql.values import column_names, number, of_mysql, of_postgresql


@pytest.mark.parametrize(
    ("oid", "data", "value"),
    [
        (16, b"t", True), (16, b"f", False),
        (23, b"-7", -7), (20, b"9223372036854775807", 2**63 - 1),
        (701, b"0.1", 0.1), (701, b"NaN", "NaN"), (700, b"-Infinity", "-Infinity"),
        (1700, b"1.50", 1.5), (1700, b"100", 100), (1700, b"100.00", 100), (1700, b"NaN", "NaN"),
        (1700, b"12345678901234567890.123456789", "12345678901234567890.123456789"),
        (17, b"\\x00ff", "00ff"),
        (114, b'{"a": [1, 0.1, null]}', {"a": [1, 0.1, None]}),
        (3802, b'{"a": 0.12345678901234567890}', {"a": "0.12345678901234567890"}),
        (1082, b"2025-01-31", "2025-01-31"),
        (1114, b"2025-01-31 12:30:00.500", "2025-01-31T12:30:00.5"),
        (1114, b"infinity", "infinity"),
        (1184, b"2025-01-31 12:30:00.25+05:30", "2025-01-31T07:00:00.25Z"),
        (1184, b"2025-01-31 12:30:00+00", "2025-01-31T12:30:00Z"),
        (1184, b"0044-03-15 12:00:00+00 BC", "0044-03-15 12:00:00+00 BC"),
        (25, b"text \xff", "text \ufffd"), (2950, b"0-1", "0-1"), (25, None, None),
        (23, b"garbage", "garbage"),
    ],
)  # fmt: skip
def test_values_of_postgresql_lose_nothing(oid, data, value):
    found = of_postgresql(oid, data)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("kind", "data", "value"),
    [
        (FIELD_TYPE.LONGLONG, "18446744073709551615", 2**64 - 1),
        (FIELD_TYPE.NEWDECIMAL, "1.10", 1.1),
        (FIELD_TYPE.DOUBLE, "1e30", 1e30),
        (FIELD_TYPE.DATETIME, "2025-01-31 12:30:00.250000", "2025-01-31T12:30:00.25"),
        (FIELD_TYPE.TIME, "-838:59:59", "-838:59:59"),
        (FIELD_TYPE.BIT, b"\x01\x00", 256),
        (FIELD_TYPE.BLOB, b"\x00\xff", "00ff"),
        (FIELD_TYPE.VAR_STRING, "a", "a"),
        (FIELD_TYPE.JSON, "[1]", [1]),
        (FIELD_TYPE.NULL, None, None),
    ],
)
def test_values_of_mariadb_lose_nothing(kind, data, value):
    found = of_mysql(kind, data)
    assert (found, type(found)) == (value, type(value))


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**40), max_value=10**40))
def test_a_decimal_keeps_all_its_digits(value):
    found = number(str(value))
    exact = Decimal(found) if isinstance(found, str) else Decimal(repr(found))
    assert exact == value


def test_an_endless_number_stays_text():
    assert number("1e999999999") == "1e999999999"


def test_columns_of_one_name_are_told_apart():
    assert column_names(["id", "id", "id_2", "id"]) == ("id", "id_2", "id_2_2", "id_3")

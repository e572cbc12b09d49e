"""Values of a database as JSON, without losing anything.

| in the database | in a row |
|---|---|
| integers | numbers |
| decimals | numbers where a double has exactly their digits (`1.50` is 1.5), else text with all digits |
| floats | numbers; NaN and infinities are text |
| booleans | true and false (MariaDB has none: 1 and 0) |
| dates, times, intervals | text: `2025-01-31`, `12:30:00` |
| timestamps | text as in RFC 3339: `2025-01-31T12:30:00.5`; with time zone in UTC, with a `Z` |
| bytes | text of hexadecimal digits: `00ff` |
| JSON | what it says (MariaDB keeps JSON as text) |
| bit fields of MariaDB | numbers |
| everything else | text as the server writes it |
| null | null |
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import TypeAlias

from pymysql.constants import FIELD_TYPE

from cleanroom.canonical import Json
from cleanroom.text import clean

Row: TypeAlias = dict[str, Json]
_ISO = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(\.\d+)?([+-]\d\d(?::\d\d){0,2})?")


def number(text: str) -> Json:
    """Return a decimal's text as a number where JSON has that number with all its digits, else as it is."""
    try:
        exact = Decimal(text)
    except InvalidOperation:
        return text
    if not exact.is_finite():
        return text
    # Before anything is made of it: 1e999999 has few digits and very many zeros.
    if exact.adjusted() > 308:  # noqa: PLR2004 - the largest double
        return text
    if exact == exact.to_integral_value():
        return int(exact)
    near = float(exact)
    return near if Decimal(repr(near)) == exact else text


def _float(text: str) -> Json:
    found = float(text)
    return found if math.isfinite(found) else text


def _moment(text: str) -> Json:
    """Return a timestamp as in RFC 3339; one with an offset in UTC; what has another form (infinity, BC) as it is."""
    found = _ISO.fullmatch(text)
    if not found:
        return text
    day, hours, fraction, offset = found.groups()
    fraction = (fraction or "").rstrip("0").rstrip(".")
    if offset is None:
        return f"{day}T{hours}{fraction}"
    try:
        moment = datetime.fromisoformat(f"{day}T{hours}{offset}").astimezone(UTC)
    except (ValueError, OverflowError):
        return text
    return f"{moment.replace(tzinfo=None).isoformat()}{fraction}Z"


def _json(text: str) -> Json:
    try:
        value: Json = json.loads(text, parse_float=number, parse_constant=lambda _: _refuse(text))
    except (ValueError, RecursionError):
        return clean(text)
    return value


def _refuse(text: str) -> Json:
    raise ValueError(text)


def _hex_of_postgresql(text: str) -> Json:
    return text.removeprefix("\\x")


_POSTGRESQL: Mapping[int, Callable[[str], Json]] = MappingProxyType({
    16: lambda text: text == "t",
    20: int, 21: int, 23: int, 26: int,
    700: _float, 701: _float, 1700: number,
    17: _hex_of_postgresql,
    114: _json, 3802: _json,
    1114: _moment, 1184: _moment,
})  # fmt: skip
"""By the type's OID (pg_type.dat); a domain comes with the OID of its base type."""
_MYSQL: Mapping[int, Callable[[str], Json]] = MappingProxyType({
    **dict.fromkeys((FIELD_TYPE.TINY, FIELD_TYPE.SHORT, FIELD_TYPE.LONG, FIELD_TYPE.LONGLONG, FIELD_TYPE.INT24,
                     FIELD_TYPE.YEAR), int),
    **dict.fromkeys((FIELD_TYPE.FLOAT, FIELD_TYPE.DOUBLE), _float),
    **dict.fromkeys((FIELD_TYPE.DECIMAL, FIELD_TYPE.NEWDECIMAL), number),
    **dict.fromkeys((FIELD_TYPE.TIMESTAMP, FIELD_TYPE.DATETIME), _moment),
    FIELD_TYPE.JSON: _json,
})  # fmt: skip
"""By the type of the column in the protocol."""


def of_postgresql(oid: int, data: bytes | None) -> Json:
    """Return the value that the server wrote as text for a column of this type."""
    return None if data is None else _converted(_POSTGRESQL.get(oid), data.decode("utf-8", "replace"))


def of_mysql(field_type: int, data: str | bytes | None) -> Json:
    """Return the value of a column of this type: text, or bytes where the column has no character set."""
    if isinstance(data, bytes):
        return int.from_bytes(data, "big") if field_type == FIELD_TYPE.BIT else data.hex()
    return None if data is None else _converted(_MYSQL.get(field_type), data)


def _converted(convert: Callable[[str], Json] | None, text: str) -> Json:
    if convert is None:
        return clean(text)
    try:
        return convert(text)
    except ValueError:
        return clean(text)


def column_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of columns, each once: the second `id` is `id_2`."""
    found: list[str] = []
    for name in names:
        unique, count = name, 1
        while unique in found:
            count += 1
            unique = f"{name}_{count}"
        found.append(unique)
    return tuple(found)

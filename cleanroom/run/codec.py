"""Frozen dataclasses to JSON and back, by their annotations: what a journal is made of.

64-bit integers stay JSON integers (the journal is ours, not RFC 8785); bytes are base64; a value of a union of dataclasses
carries its class in `type`.
"""

from __future__ import annotations

import base64
import dataclasses
import types
import typing
from collections.abc import Mapping
from enum import Enum
from functools import cache
from typing import Any, TypeVar

Value = TypeVar("Value")


def encode(value: object) -> Any:  # noqa: ANN401 - JSON has no narrower type
    """Return `value` as plain JSON values; raises `TypeError` for what has no form."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: encode(getattr(value, f.name)) for f in dataclasses.fields(value) if f.init}
        return {"type": type(value).__name__, **fields} if "type" not in fields else fields
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return {str(k): encode(v) for k, v in value.items()}
    if isinstance(value, tuple | list | frozenset):
        return [encode(v) for v in value]
    raise TypeError(f"a journal cannot hold a {type(value).__name__}")


def decode(data: Any, wanted: type[Value]) -> Value:  # noqa: ANN401 - JSON has no narrower type
    """Return the value that `encode` made `data` of; raises `ValueError` naming the part that does not fit."""
    found = _decode(data, wanted)
    return typing.cast("Value", found)


def _decode(data: Any, wanted: Any) -> Any:  # noqa: ANN401, C901, PLR0911 - one case per kind of annotation
    wanted = getattr(wanted, "__value__", wanted)
    origin = typing.get_origin(wanted)
    if wanted is Any or wanted is object:
        return data
    if origin in (typing.Union, types.UnionType):
        return _decode_union(data, typing.get_args(wanted))
    if origin is typing.Literal:
        return _literal(data, typing.get_args(wanted))
    if dataclasses.is_dataclass(wanted):
        return _decode_dataclass(data, typing.cast("type[Any]", wanted))
    if origin is tuple:
        inner = typing.get_args(wanted)
        items = [inner[0]] * len(data) if len(inner) == 2 and inner[1] is Ellipsis else list(inner)  # noqa: PLR2004
        return tuple(_decode(d, t) for d, t in zip(data, items, strict=True))
    if origin is not None and issubclass(origin, Mapping):
        return {k: _decode(v, typing.get_args(wanted)[1]) for k, v in data.items()}
    if isinstance(wanted, type) and issubclass(wanted, Enum):
        return wanted(data)
    if wanted is bytes:
        return base64.b64decode(data, validate=True)
    if wanted is float and isinstance(data, int) and not isinstance(data, bool):
        return float(data)
    if wanted is type(None) or not isinstance(wanted, type):
        return data
    if not isinstance(data, wanted) or (isinstance(data, bool) and wanted is not bool):
        raise ValueError(f"expected {wanted.__name__}, got {type(data).__name__}")
    return data


def _literal(data: Any, choices: tuple[Any, ...]) -> Any:  # noqa: ANN401
    if data not in choices:
        raise ValueError(f"expected one of {', '.join(map(str, choices))}, got {data!r}")
    return data


def _decode_union(data: Any, choices: tuple[Any, ...]) -> Any:  # noqa: ANN401
    if data is None and type(None) in choices:
        return None
    if isinstance(data, dict) and "type" in data:
        for choice in choices:
            if dataclasses.is_dataclass(choice) and getattr(choice, "__name__", "") == data["type"]:
                return _decode(data, choice)
    failures = []
    for choice in choices:
        if choice is type(None) or dataclasses.is_dataclass(choice):
            continue
        try:
            return _decode(data, choice)
        except (ValueError, TypeError, AttributeError) as err:
            failures.append(str(err))
    raise ValueError(f"{data!r} fits nothing: {'; '.join(failures)}")


@cache
def _hints(wanted: type[Any]) -> dict[str, Any]:
    return typing.get_type_hints(wanted)


def _decode_dataclass(data: Any, wanted: type[Any]) -> Any:  # noqa: ANN401
    if not isinstance(data, dict):
        raise ValueError(f"expected {wanted.__name__}, got {type(data).__name__}")
    hints = _hints(typing.cast("Any", wanted))
    values = {}
    for field in dataclasses.fields(wanted):
        if not field.init or field.name not in data:
            continue
        try:
            values[field.name] = _decode(data[field.name], hints[field.name])
        except (ValueError, TypeError) as err:
            raise ValueError(f"{wanted.__name__}.{field.name}: {err}") from err
    try:
        return wanted(**values)
    except TypeError as err:
        raise ValueError(f"{wanted.__name__}: {err}") from err

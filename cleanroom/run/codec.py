"""Frozen dataclasses to JSON and back, by their annotations: what a journal is made of.

64-bit integers stay JSON integers (the journal is ours, not RFC 8785); bytes are base64; a dataclass carries its class
in `type`, and a mapping that has such a key itself is wrapped, so that neither is taken for the other. A field marked
`apart` has a file of its own and is left out.
"""

from __future__ import annotations

import base64
import dataclasses
import types
import typing
from collections.abc import Mapping
from enum import Enum
from functools import cache
from typing import Any, Final, TypeVar

from cleanroom.quantity import Duration, Rate, Size
from cleanroom.spec.comparator import Comparator
from cleanroom.spec.expect import Expect
from cleanroom.spec.fault import Fault
from cleanroom.spec.probe import Probe
from cleanroom.spec.scenario import Scenario
from cleanroom.spec.service import Service
from cleanroom.spec.step import Step
from cleanroom.spec.templates.runtime_text import Expression, RuntimeText

Value = TypeVar("Value")
_WRAPPED: Final = {"type", "mapping"}


class _Json:
    """Stands for `canonical.Json` in resolved hints: any JSON value, as it is."""


class _Operand:
    """Stands for `spec.operand.Operand` in resolved hints."""


# Names that the spec's modules import for type checkers only; the two recursive aliases have readers of their own.
_NAMES: Final[Mapping[str, Any]] = {
    "Mapping": Mapping, "Json": _Json, "Operand": _Operand, "Comparator": Comparator, "Expect": Expect, "Fault": Fault,
    "Probe": Probe, "Scenario": Scenario, "Service": Service, "Step": Step,
}  # fmt: skip


def encode(value: object) -> Any:  # noqa: ANN401, PLR0911 - JSON has no narrower type; a return for each kind
    """Return `value` as plain JSON values; raises `TypeError` for what has no form."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        kept = [f.name for f in dataclasses.fields(value) if f.init and "apart" not in f.metadata]
        fields = {name: encode(getattr(value, name)) for name in kept}
        return {"type": type(value).__name__, **fields} if "type" not in fields else fields
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, RuntimeText):
        return {"type": "RuntimeText", "written": str(value), "parts": [encode(part) for part in value.parts]}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        plain = {str(k): encode(v) for k, v in value.items()}
        return {"type": "Mapping", "mapping": plain} if "type" in plain else plain
    if isinstance(value, tuple | list | frozenset):
        return [encode(v) for v in value]
    raise TypeError(f"a journal cannot hold a {type(value).__name__}")


def decode(data: Any, wanted: type[Value]) -> Value:  # noqa: ANN401 - JSON has no narrower type
    """Return the value that `encode` made `data` of; raises `ValueError` naming the part that does not fit."""
    found = _decode(data, wanted)
    return typing.cast("Value", found)


def _decode(data: Any, wanted: Any) -> Any:  # noqa: ANN401 - one case per kind of annotation
    if wanted is Any or wanted is object:
        return data
    if wanted is _Json:
        return _json(data)
    if wanted is _Operand:
        return _operand(data)
    if dataclasses.is_dataclass(wanted):
        return _decode_dataclass(data, typing.cast("type[Any]", wanted))
    origin = typing.get_origin(wanted)
    if origin is not None:
        return _decode_generic(data, origin, typing.get_args(wanted))
    return _decode_plain(data, wanted)


def _decode_generic(data: Any, origin: Any, inner: tuple[Any, ...]) -> Any:  # noqa: ANN401
    if origin in (typing.Union, types.UnionType):
        return _decode_union(data, inner)
    if origin is typing.Literal:
        return _literal(data, inner)
    if issubclass(origin, Mapping):
        return {k: _decode(v, inner[1]) for k, v in _mapping(data).items()}
    if not isinstance(data, list):
        raise ValueError(f"expected a list, got {type(data).__name__}")  # noqa: TRY004 - a part that does not fit
    items = [inner[0]] * len(data) if len(inner) == 2 and inner[1] is Ellipsis else list(inner)  # noqa: PLR2004
    return tuple(_decode(d, t) for d, t in zip(data, items, strict=True))


def _decode_plain(data: Any, wanted: Any) -> Any:  # noqa: ANN401
    if wanted is str and isinstance(data, dict):
        return _runtime_text(data)
    if issubclass(wanted, Enum):
        return wanted(data)
    if wanted is bytes:
        return base64.b64decode(data, validate=True)
    if wanted is float and isinstance(data, int) and not isinstance(data, bool):
        return float(data)
    if not isinstance(data, wanted) or (isinstance(data, bool) and wanted is not bool):
        raise ValueError(f"expected {wanted.__name__}, got {type(data).__name__}")
    return data


def _runtime_text(data: Any) -> RuntimeText:  # noqa: ANN401
    """Return text with open templates: it stands wherever text does."""
    fields = _mapping(data)
    if fields.keys() != {"type", "written", "parts"} or fields["type"] != "RuntimeText":
        raise ValueError("expected str, got a mapping")
    parts = [_expression(part) if isinstance(part, dict) else _decode(part, str) for part in fields["parts"]]
    return RuntimeText(_decode(fields["written"], str), tuple(parts))


def _expression(data: Any) -> Expression:  # noqa: ANN401
    fields = _mapping(data)
    return Expression(
        source=_decode(fields["source"], str),
        names=frozenset(_decode(fields["names"], tuple[str, ...])),
        bindings=_json(fields["bindings"]),
    )


def _mapping(data: Any) -> dict[str, Any]:  # noqa: ANN401
    if not isinstance(data, dict):
        raise ValueError(f"expected a mapping, got {type(data).__name__}")  # noqa: TRY004 - a part that does not fit
    inner = data["mapping"] if data.keys() == _WRAPPED else data
    if not isinstance(inner, dict):
        raise ValueError(f"expected a mapping, got {type(inner).__name__}")  # noqa: TRY004 - a part that does not fit
    return inner


def _json(data: Any) -> Any:  # noqa: ANN401
    if isinstance(data, list):
        return [_json(item) for item in data]
    if isinstance(data, dict) and data.get("type") == "RuntimeText":
        return _runtime_text(data)
    return {key: _json(item) for key, item in _mapping(data).items()} if isinstance(data, dict) else data


def _operand(data: Any) -> Any:  # noqa: ANN401
    if isinstance(data, list):
        return tuple(_operand(item) for item in data)
    if not isinstance(data, dict):
        return data
    known: dict[str, type[Any]] = {"Duration": Duration, "Size": Size, "Rate": Rate, "Comparator": Comparator}
    if data.get("type") in known:
        return _decode_dataclass(data, known[data["type"]])
    if data.get("type") == "RuntimeText":
        return _runtime_text(data)
    return {key: _operand(item) for key, item in _mapping(data).items()}


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
        except (ValueError, TypeError) as err:
            failures.append(str(err))
    raise ValueError(f"{data!r} fits nothing: {'; '.join(failures)}")


@cache
def _hints(wanted: type[Any]) -> dict[str, Any]:
    return typing.get_type_hints(wanted, localns=dict(_NAMES))


def _decode_dataclass(data: Any, wanted: type[Any]) -> Any:  # noqa: ANN401
    if not isinstance(data, dict):
        raise ValueError(f"expected {wanted.__name__}, got {type(data).__name__}")  # noqa: TRY004 - as above
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

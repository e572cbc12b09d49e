"""OTLP/JSON to a checked tree: hex ids, 64-bit integers as decimal strings, bytes in base64, unknown keys left out.

Source: the OTLP specification, "JSON Protobuf Encoding" (hex ids, lowerCamelCase keys, unknown fields ignored).
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from cleanroom.errors import TelemetryError
from cleanroom.trace.otlp_protobuf import Node, OtlpSignal, double_text

_MAX_DEPTH = 100  # of attribute values inside one another: what protobuf itself allows
_MISSING = object()
_SPAN_KINDS = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
_STATUS_CODES = ("UNSET", "OK", "ERROR")

_SEVERITIES = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
_SEVERITY = re.compile(rf"SEVERITY_NUMBER_(?P<name>UNSPECIFIED|{'|'.join(_SEVERITIES)})(?P<part>[2-4])?")

_Read: TypeAlias = "Callable[[Any, str], Any]"


@dataclass(frozen=True, slots=True)
class _Key:
    """One known key of an object; `required` keys are written even at their default."""

    read: _Read
    default: object
    required: bool = False
    presence: bool = False
    """Written whenever it was sent: zero is not none."""


def json_tree(body: bytes, signal: OtlpSignal = "traces") -> Node:
    """Return the checked tree of an OTLP/JSON request; raises `TelemetryError` that names the path of what is wrong."""
    try:
        document = json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
    except (UnicodeDecodeError, ValueError, RecursionError) as err:
        raise TelemetryError(
            f"{len(body)} bytes sent as OTLP/JSON are not JSON: {err!s:.200}",
            remedy="check that the exporter's protocol matches the content type it sends",
        ) from err
    key, keys = _REQUESTS[signal]
    return {key: _list(keys, _object(document, "").get(key), key)}


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number (OTLP/JSON writes it as text)")


def _wrong(path: str, expected: str, got: object) -> TelemetryError:
    return TelemetryError(
        f"OTLP/JSON: {path or 'the document'}: expected {expected}, got {str(got)[:80]!r}",
        remedy="the exporter that sent this is broken or not OTLP; compare with the OTLP/JSON specification",
    )


def _object(value: object, path: str) -> Node:
    if not isinstance(value, dict):
        raise _wrong(path, "an object", value)
    return value


def _message(keys: Mapping[str, _Key], value: object, path: str) -> Node:
    source = _object(value, path)
    node: Node = {}
    for name, key in keys.items():
        found = source.get(name)
        result = key.default if found is None else key.read(found, f"{path}.{name}")
        if key.required or result or (key.presence and found is not None):
            node[name] = result
    return node


def _list(keys: Mapping[str, _Key], value: object, path: str) -> list[Node]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise _wrong(path, "an array", value)
    return [_message(keys, item, f"{path}[{index}]") for index, item in enumerate(value)]


def _text(value: object, path: str) -> str:
    if not isinstance(value, str):
        raise _wrong(path, "text", value)
    # A lone surrogate (legal in JSON, no character) has no UTF-8 form, so it could never be digested or written.
    return value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _hex_id(length: int, value: object, path: str) -> str:
    text = _text(value, path).lower()
    if text and (len(text) != length or not set(text) <= set("0123456789abcdef")):
        raise _wrong(path, f"{length} hex digits", value)
    return text


def _integer(low: int, high: int, value: object, path: str) -> int:
    number: object = value
    if isinstance(value, str) and value.removeprefix("-").isdecimal() and value.isascii():
        number = int(value) if len(value) <= len(str(low)) + 20 else _MISSING
    elif isinstance(value, float) and value.is_integer():
        number = int(value)
    if isinstance(number, bool) or not isinstance(number, int) or not low <= number <= high:
        raise _wrong(path, f"an integer from {low} to {high}", value)
    return number


def _unsigned64(value: object, path: str) -> str:
    return str(_integer(0, 2**64 - 1, value, path))


def _signed64(value: object, path: str) -> str:
    return str(_integer(-(2**63), 2**63 - 1, value, path))


def _severity(value: object, path: str) -> int:
    """Take the number, or a name such as SEVERITY_NUMBER_INFO2."""
    match = _SEVERITY.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return _integer(0, 24, value, path)
    return 4 * _SEVERITIES.index(match["name"]) + int(match["part"] or 1) if match["name"] != "UNSPECIFIED" else 0


_unsigned32 = partial(_integer, 0, 2**32 - 1)
_signed32 = partial(_integer, -(2**31), 2**31 - 1)


def _enumeration(prefix: str, names: tuple[str, ...], value: object, path: str) -> int:
    if isinstance(value, str) and value.removeprefix(prefix) in names:
        return names.index(value.removeprefix(prefix))
    return _integer(0, len(names) - 1, value, path)


def _array(read: _Read, value: object, path: str) -> list[object]:
    if not isinstance(value, list):
        raise _wrong(path, "an array", value)
    return [read(item, f"{path}[{index}]") for index, item in enumerate(value)]


def _boolean(value: object, path: str) -> bool:
    if not isinstance(value, bool):
        raise _wrong(path, "true or false", value)
    return value


def _double(value: object, path: str) -> float | str:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise _wrong(path, "a number", value)
    try:
        return double_text(float(value))
    except (ValueError, OverflowError) as err:
        raise _wrong(path, "a number", value) from err


def _bytes(value: object, path: str) -> str:
    text = _text(value, path).replace("-", "+").replace("_", "/").rstrip("=")
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as err:
        raise _wrong(path, "base64", value) from err
    return base64.b64encode(data).decode("ascii")


def _any_value(value: object, path: str, depth: int = 0) -> Node:
    if depth > _MAX_DEPTH:
        raise _wrong(path, f"at most {_MAX_DEPTH} values inside one another", "more")
    known = {name: item for name, item in _object(value, path).items() if name in _VALUES and item is not None}
    if len(known) > 1:
        raise _wrong(path, "one kind of value", ", ".join(sorted(known)))
    for name, item in known.items():
        inner = f"{path}.{name}"
        if name == "arrayValue":
            values = _object(item, inner).get("values") or []
            if not isinstance(values, list):
                raise _wrong(inner, "an array", values)
            return {name: {"values": [_any_value(v, f"{inner}[{i}]", depth + 1) for i, v in enumerate(values)]}}
        if name == "kvlistValue":
            return {name: {"values": _key_values(_object(item, inner).get("values") or [], inner, depth + 1)}}
        return {name: _VALUES[name](item, inner)}
    return {}


def _key_values(value: object, path: str, depth: int = 0) -> list[Node]:
    if not isinstance(value, list):
        raise _wrong(path, "an array", value)
    pairs = []
    for index, item in enumerate(value):
        where = f"{path}[{index}]"
        pair = _object(item, where)
        key = _text(pair.get("key") or "", f"{where}.key")
        pairs.append({"key": key, "value": _any_value(pair.get("value") or {}, f"{where}.value", depth)})
    return pairs


_VALUES: dict[str, _Read] = {
    "stringValue": _text,
    "boolValue": _boolean,
    "intValue": _signed64,
    "doubleValue": _double,
    "bytesValue": _bytes,
    "arrayValue": _any_value,
    "kvlistValue": _any_value,
}
_NAME = _Key(_text, "", required=True)
_TEXT = _Key(_text, "")
_COUNT = _Key(_unsigned32, 0)
_TIME = _Key(_unsigned64, "0", required=True)
_ATTRIBUTES = _Key(_key_values, [])
_TRACE_ID = _Key(partial(_hex_id, 32), "", required=True)
_SPAN_ID = _Key(partial(_hex_id, 16), "", required=True)
_EVENT = {"timeUnixNano": _TIME, "name": _NAME, "attributes": _ATTRIBUTES, "droppedAttributesCount": _COUNT}
_LINK = {
    "traceId": _TRACE_ID,
    "spanId": _SPAN_ID,
    "traceState": _TEXT,
    "attributes": _ATTRIBUTES,
    "droppedAttributesCount": _COUNT,
    "flags": _COUNT,
}
_STATUS = {"message": _TEXT, "code": _Key(partial(_enumeration, "STATUS_CODE_", _STATUS_CODES), 0)}
_SPAN = {
    "traceId": _TRACE_ID,
    "spanId": _SPAN_ID,
    "name": _NAME,
    "kind": _Key(partial(_enumeration, "SPAN_KIND_", _SPAN_KINDS), 0, required=True),
    "startTimeUnixNano": _TIME,
    "endTimeUnixNano": _TIME,
    "traceState": _TEXT,
    "parentSpanId": _Key(partial(_hex_id, 16), ""),
    "flags": _COUNT,
    "attributes": _ATTRIBUTES,
    "droppedAttributesCount": _COUNT,
    "events": _Key(partial(_list, _EVENT), []),
    "droppedEventsCount": _COUNT,
    "links": _Key(partial(_list, _LINK), []),
    "droppedLinksCount": _COUNT,
    "status": _Key(partial(_message, _STATUS), {}),
}
_SCOPE = {"name": _TEXT, "version": _TEXT, "attributes": _ATTRIBUTES, "droppedAttributesCount": _COUNT}
_SCOPE_SPANS = {
    "scope": _Key(partial(_message, _SCOPE), {}, required=True),
    "spans": _Key(partial(_list, _SPAN), [], required=True),
    "schemaUrl": _TEXT,
}
_RESOURCE = {"attributes": _ATTRIBUTES, "droppedAttributesCount": _COUNT}
_RESOURCE_SPANS = {
    "resource": _Key(partial(_message, _RESOURCE), {}, required=True),
    "scopeSpans": _Key(partial(_list, _SCOPE_SPANS), [], required=True),
    "schemaUrl": _TEXT,
}
_WIDE = _Key(_unsigned64, "0")
_MAYBE = _Key(_double, None, presence=True)
_WIDE_LIST = _Key(partial(_array, _unsigned64), [])
_POINT = {"attributes": _ATTRIBUTES, "startTimeUnixNano": _WIDE, "timeUnixNano": _WIDE, "flags": _COUNT}
_NUMBER = {
    **_POINT,
    "asInt": _Key(_signed64, None, presence=True),
    "asDouble": _MAYBE,
}
_DISTRIBUTION = {**_POINT, "count": _WIDE, "sum": _MAYBE, "min": _MAYBE, "max": _MAYBE}
_HISTOGRAM = {**_DISTRIBUTION, "bucketCounts": _WIDE_LIST, "explicitBounds": _Key(partial(_array, _double), [])}
_BUCKETS = {"offset": _Key(_signed32, 0), "bucketCounts": _WIDE_LIST}
_EXPONENTIAL = {
    **_DISTRIBUTION,
    "scale": _Key(_signed32, 0),
    "zeroCount": _WIDE,
    "zeroThreshold": _Key(_double, 0.0),
    "positive": _Key(partial(_message, _BUCKETS), {}),
    "negative": _Key(partial(_message, _BUCKETS), {}),
}
_QUANTILE = {"quantile": _Key(_double, 0.0), "value": _Key(_double, 0.0)}
_SUMMARY = {
    **_POINT,
    "count": _WIDE,
    "sum": _Key(_double, 0.0),
    "quantileValues": _Key(partial(_list, _QUANTILE), []),
}
_TEMPORALITY = _Key(partial(_enumeration, "AGGREGATION_TEMPORALITY_", ("UNSPECIFIED", "DELTA", "CUMULATIVE")), 0)


def _data(points: Mapping[str, _Key], **more: _Key) -> _Key:
    return _Key(partial(_message, {"dataPoints": _Key(partial(_list, points), []), **more}), {}, presence=True)


_METRIC = {
    "name": _TEXT,
    "description": _TEXT,
    "unit": _TEXT,
    "gauge": _data(_NUMBER),
    "sum": _data(_NUMBER, aggregationTemporality=_TEMPORALITY, isMonotonic=_Key(_boolean, default=False)),
    "histogram": _data(_HISTOGRAM, aggregationTemporality=_TEMPORALITY),
    "exponentialHistogram": _data(_EXPONENTIAL, aggregationTemporality=_TEMPORALITY),
    "summary": _data(_SUMMARY),
}
_RECORD = {
    "timeUnixNano": _WIDE,
    "observedTimeUnixNano": _WIDE,
    "severityNumber": _Key(_severity, 0),
    "severityText": _TEXT,
    "body": _Key(_any_value, {}),
    "attributes": _ATTRIBUTES,
    "droppedAttributesCount": _COUNT,
    "flags": _COUNT,
    "traceId": _Key(partial(_hex_id, 32), ""),
    "spanId": _Key(partial(_hex_id, 16), ""),
    "eventName": _TEXT,
}


def _grouped(groups: str, items: str, keys: Mapping[str, _Key]) -> dict[str, _Key]:
    scoped = {"scope": _Key(partial(_message, _SCOPE), {}), items: _Key(partial(_list, keys), []), "schemaUrl": _TEXT}
    return {
        "resource": _Key(partial(_message, _RESOURCE), {}),
        groups: _Key(partial(_list, scoped), []),
        "schemaUrl": _TEXT,
    }


_REQUESTS: dict[OtlpSignal, tuple[str, Mapping[str, _Key]]] = {
    "traces": ("resourceSpans", _RESOURCE_SPANS),
    "metrics": ("resourceMetrics", _grouped("scopeMetrics", "metrics", _METRIC)),
    "logs": ("resourceLogs", _grouped("scopeLogs", "logRecords", _RECORD)),
}
"""Signal → the only key of its request, and the keys of each item there."""

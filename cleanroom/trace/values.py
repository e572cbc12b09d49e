"""Attributes, any-values, resources and scopes of an OTLP/JSON tree, as every signal has them."""

from __future__ import annotations

import base64
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

from cleanroom.trace.model import NO_ATTRIBUTES, Attributes, AttributeValue, Resource, Scope, SentAttributes
from cleanroom.trace.otlp_protobuf import Node


def attributes_of(node: Node) -> Attributes:
    """Return the attributes of a node; of a key that is sent twice, the last value."""
    pairs = node.get("attributes")
    return SentAttributes((pair["key"], value_of(pair["value"])) for pair in pairs) if pairs else NO_ATTRIBUTES


def value_of(node: Node) -> AttributeValue:
    """Return an any-value: integers exact, bytes as bytes, lists as tuples, an empty value as None."""
    for kind, value in node.items():
        if kind == "arrayValue":
            return tuple(value_of(item) for item in value["values"])
        if kind == "kvlistValue":
            return MappingProxyType({pair["key"]: value_of(pair["value"]) for pair in value["values"]})
        return _SCALARS[kind](value)
    return None


def resource_of(group: Node) -> Resource:
    """Return the resource of a group (`resourceSpans[]` and its like)."""
    found = group.get("resource", {})
    return Resource(attributes=attributes_of(found))


def scope_of(group: Node) -> Scope:
    """Return the instrumentation scope of a group (`scopeSpans[]` and its like)."""
    found = group.get("scope", {})
    return Scope(name=found.get("name", ""), version=found.get("version", ""), attributes=attributes_of(found))


_SCALARS: dict[str, Callable[[Any], AttributeValue]] = {
    "stringValue": str,
    "boolValue": bool,
    "intValue": int,
    "doubleValue": float,
    "bytesValue": base64.b64decode,
}

"""Canonical bytes (RFC 8785) and SHA-256 digests over them."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from functools import lru_cache
from json.encoder import encode_basestring
from typing import TypeAlias

import rfc8785

# 64-bit integers travel as decimal strings (as in OTLP/JSON): RFC 8785 numbers are doubles.
Json: TypeAlias = "None | bool | int | float | str | list[Json] | dict[str, Json]"

_LARGEST = 2**53 - 1


def canonical_bytes(value: Json) -> bytes:
    """Return the RFC 8785 bytes of `value`.

    Raises `ValueError` for NaN, infinities, integers beyond 2**53 and lone surrogates: none has one canonical form.
    """
    return canonical_text(value).encode()  # raises UnicodeEncodeError, a ValueError, for a lone surrogate


def canonical_text(value: Json) -> str:
    """Return what `canonical_bytes` encodes; raises `ValueError` like it, but for lone surrogates, which have no bytes.

    Ours because a trace has millions of values: the reference implementation, which the tests compare it with, is
    several times slower. It still writes the floats.
    """
    return _text(value)


def quoted(text: str) -> str:
    """Return what `canonical_text` makes of a text."""
    return encode_basestring(text)


def _text(value: object) -> str:
    if isinstance(value, str):
        return encode_basestring(value)
    if isinstance(value, dict):
        pairs = [f"{encode_basestring(name)}:{_text(value[name])}" for name in in_order(value)]
        return "{" + ",".join(pairs) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join([_text(item) for item in value]) + "]"
    return _scalar(value)


def _scalar(value: object) -> str:
    if value is None or isinstance(value, bool):
        return "null" if value is None else "true" if value else "false"
    if isinstance(value, int):
        if not -_LARGEST <= value <= _LARGEST:
            raise ValueError(f"{value} is beyond the integers that a double holds exactly")
        return str(int(value))
    if isinstance(value, float):
        return _float(value)
    raise ValueError(f"a {type(value).__name__} is no JSON")


def in_order(names: Collection[str]) -> list[str]:
    """Return the names as RFC 8785 orders them: by UTF-16 code units, which differs from Python's order beyond U+FFFF.

    Raises `ValueError` for a lone surrogate.
    """
    if "".join(names).isascii():
        return sorted(names)
    return sorted(names, key=lambda name: name.encode("utf-16be"))


@lru_cache(maxsize=4096)
def _float(value: float) -> str:
    try:
        text: bytes = rfc8785.dumps(value)
    except rfc8785.CanonicalizationError as err:
        raise ValueError(str(err)) from err
    return text.decode("ascii")


def digest(value: Json) -> str:
    """Return `sha256:<64 hex digits>` of the canonical bytes of `value`."""
    return "sha256:" + hashlib.sha256(canonical_bytes(value)).hexdigest()

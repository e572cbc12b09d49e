"""Canonical bytes (RFC 8785) and SHA-256 digests over them."""

from __future__ import annotations

import hashlib
from typing import TypeAlias

import rfc8785

# 64-bit integers travel as decimal strings (as in OTLP/JSON): RFC 8785 numbers are doubles.
Json: TypeAlias = "None | bool | int | float | str | list[Json] | dict[str, Json]"


def canonical_bytes(value: Json) -> bytes:
    """Return the RFC 8785 bytes of `value`.

    Raises `ValueError` for NaN, infinities, integers beyond 2**53 and lone surrogates: none has one canonical form.
    """
    try:
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as err:
        raise ValueError(str(err)) from err


def digest(value: Json) -> str:
    """Return `sha256:<64 hex digits>` of the canonical bytes of `value`."""
    return "sha256:" + hashlib.sha256(canonical_bytes(value)).hexdigest()

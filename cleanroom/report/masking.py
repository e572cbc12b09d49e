"""Secrets taken out of whole values: every string of a record, however deep it lies."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from types import MappingProxyType
from typing import TypeVar, cast

from cleanroom.plan.model import Plan
from cleanroom.text import mask

_T = TypeVar("_T")


def masked(value: _T, secrets: Iterable[str]) -> _T:
    """Return `value` with every secret in its strings replaced; without secrets the very same value.

    Plans stay as they are: renderers take names, files and digests from them and nothing else.
    """
    wanted = tuple(secret for secret in secrets if secret)
    return cast("_T", _walk(value, wanted)) if wanted else value


def spellings(secrets: Iterable[str]) -> tuple[str, ...]:
    """Return the secrets as they are and as they stand inside a JSON string."""
    wanted = [secret for secret in secrets if secret]
    escaped = [json.dumps(secret, ensure_ascii=False)[1:-1] for secret in wanted]
    return tuple(dict.fromkeys([*wanted, *escaped]))


def blanked(data: bytes, secrets: Iterable[str]) -> bytes:
    """Return `data` with every secret in it overwritten by as many asterisks.

    For files that are read again: lengths and offsets in them still hold, and equal texts stay equal.
    """
    known = spellings(secrets)
    words = {word.encode("utf-8") for word in (*known, *(json.dumps(text)[1:-1] for text in known))}
    for word in sorted(words, key=len, reverse=True):
        data = data.replace(word, b"*" * len(word))
    return data


def _walk(value: object, secrets: tuple[str, ...]) -> object:
    if isinstance(value, Enum | Plan):
        return value
    if isinstance(value, str):
        return mask(value, secrets)
    if isinstance(value, Mapping):
        return MappingProxyType({_walk(key, secrets): _walk(item, secrets) for key, item in value.items()})
    if isinstance(value, tuple | list):
        return type(value)(_walk(item, secrets) for item in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{f.name: _walk(getattr(value, f.name), secrets) for f in fields(value) if f.init})
    return value

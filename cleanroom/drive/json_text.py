"""JSON in what a system under test said: whatever it is, reading it ends and raises nothing (RFC 8259)."""

from __future__ import annotations

import json
import math
import re
from typing import NoReturn

from cleanroom.canonical import Json

_HALVES = re.compile(r"\\u[dD][89a-fA-F]")
"""Escapes of surrogates: two of them make one character."""


def parsed(text: str) -> tuple[Json, bool]:
    """Return (the value, whether the text is JSON).

    NaN and infinities are none, nor is a number beyond a double: an expectation could hold of them by accident. Neither
    is what is nested deeper than this process can follow, nor half a character, which could be sent to nobody.
    """
    try:
        value: Json = json.loads(text, parse_constant=_refuse, parse_float=_finite)
        if _HALVES.search(text):
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None, False
    return value, True


def _refuse(text: str) -> NoReturn:
    raise ValueError(text)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number

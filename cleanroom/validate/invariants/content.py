"""What an answer holds, in a form that two answers can be compared in, and what keeps one from being looked at."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from cleanroom.canonical import Json
from cleanroom.drive.answer import Answer
from cleanroom.spec.operand import shown

_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,99})(?:\.[0-9]{1,100})?", re.ASCII)
QUERY_REMEDY = "correct the query so that it finds what the invariant is about"


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """How an invariant is broken: what was wanted, what was found, what to do."""

    expected: str
    found: str
    remedy: str = ""


def unusable(answer: Answer, *, of: str = "the query") -> Breach | None:
    """Return why nothing can be concluded from an answer: it failed, or only its beginning was read."""
    if not answer.ok:
        return Breach(expected=f"an answer to {of}", found=f"{answer.question}: {answer.why}")
    if answer.truncated:
        return Breach(
            expected=f"the whole answer to {of}",
            found=f"{answer.question}: only the beginning of its {', '.join(answer.truncated)} was read",
            remedy="ask for less: count, sum, or a digest",
        )
    return None


def content(answer: Answer) -> Json:
    """Return what an answer holds: its rows as mappings, the one value of one row of one column, else its value."""
    if answer.rows is None:
        return answer.value
    rows = [dict(row) for row in answer.rows]
    if len(rows) == 1 and len(rows[0]) == 1:
        return next(iter(rows[0].values()))
    return list(rows)


def nothing(found: Json) -> bool:
    """Whether there is nothing in it to look at: no value, empty text, an empty list or mapping."""
    return found is None or (isinstance(found, str) and not found.strip()) or found in ([], {})


def number(found: Json) -> Fraction | None:
    """Return an exact number, also of text that spells one; None for anything else.

    Text spells a number as databases write one: `007`, `1/2` and `12e4` are names of things, and the same to nobody.
    """
    if isinstance(found, str):
        return Fraction(found.strip()) if _DECIMAL.fullmatch(found.strip()) else None
    if isinstance(found, bool) or found is None or isinstance(found, list | dict):
        return None
    try:
        return Fraction(found)
    except (ValueError, OverflowError):
        return None


def plain(found: Fraction) -> int | float:
    """Return a number as comparators see it: an integer where it is one."""
    return int(found) if found.denominator == 1 else float(found)


def key(found: Json) -> str:
    """Return a text that is equal for equal values: a number and the text that spells it are alike."""
    spelled = number(found)
    if spelled is not None:
        return str(spelled)
    return found if isinstance(found, str) else text_of(found)


def text_of(found: object) -> str:
    """Return canonical text of a value; one that JSON does not know as it reads."""
    return json.dumps(found, sort_keys=True, ensure_ascii=False, default=str)


def lines(found: Json) -> list[str]:
    """Return what a list, or a text of several lines, consists of; anything else is one line."""
    if isinstance(found, list):
        return [text_of(one) for one in found]
    return found.splitlines() if isinstance(found, str) else [text_of(found)]


def digest(found: Json) -> str:
    """Return the SHA-256 of the lines, sorted: the order of a dump's rows says nothing."""
    return hashlib.sha256("\n".join(sorted(lines(found))).encode("utf-8", "surrogatepass")).hexdigest()


def briefly(found: object) -> str:
    """Return a value as a finding shows it."""
    if isinstance(found, list) and found and isinstance(found[0], Mapping):
        return f"{len(found)} rows: {shown(found)}"
    return shown(found)

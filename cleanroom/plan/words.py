"""Values of a spec in one line, as the spec would write them: what a plan prints for people."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any

from cleanroom.quantity import Duration, Rate, Size
from cleanroom.spec.comparator import Comparator
from cleanroom.spec.expectation import Expectation
from cleanroom.spec.fault import AtManual, AtOffset, AtProbe, AtStep, Moment
from cleanroom.spec.instant import Instant
from cleanroom.spec.pattern import Pattern
from cleanroom.spec.probe import Probe

_PLAIN = re.compile(r"(?!.*:(?: |$))[\w./*:@%+-]+(?: [\w./*:@%+-]+)*")
_ROLE = re.compile(r"(Action|Probe|Expectation|Invariant|Generator|Volume)$")
_WORD = re.compile(r"(?<!^)(?=[A-Z])")
_SHARED = frozenset(field.name for field in fields(Expectation))


def words(value: object) -> str:  # noqa: PLR0911 -- one return for each kind of value
    """Return a value as YAML flow text would have it; fields that stand at their default are left out."""
    if value is None or isinstance(value, bool | int | float):
        return json.dumps(value)
    if isinstance(value, str):
        return str(value) if _PLAIN.fullmatch(value) else json.dumps(str(value), ensure_ascii=False)
    if isinstance(value, Duration | Instant):
        return str(value)
    if isinstance(value, Size):
        return _size(value.bytes)
    if isinstance(value, Rate):
        return f"{value.bits}bit/s"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{words(str(key))}: {words(item)}" for key, item in value.items()) + "}"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(words(item) for item in value) + "]"
    return _of_class(value)


def _size(count: int) -> str:
    for power, unit in ((40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")):
        if count and count % (1 << power) == 0:
            return f"{count >> power}{unit}"
    return f"{count}B"


def _of_class(value: object) -> str:
    if isinstance(value, Comparator):
        if len(value.tests) == 1 and value.tests[0][0] == "eq":
            return words(value.tests[0][1])
        return words(dict(value.tests))
    if isinstance(value, Pattern):
        return words({"regex": value.text}) if value.regex else words(value.text)
    if isinstance(value, Probe):
        return " ".join([words(value.question), *(f"{name}={words(part)}" for name, part in _said(value, "question"))])
    name = type(value).__name__
    kind = _WORD.sub("_", _ROLE.sub("", name)).lower()
    body = words(dict(_said(value)))
    return f"{kind} {body}" if _ROLE.search(name) and not isinstance(value, Expectation) else body


def _said(value: object, *without: str) -> list[tuple[str, object]]:
    """Return the compared fields of a dataclass that say more than their default."""
    if not is_dataclass(value) or isinstance(value, type):
        raise TypeError(f"{type(value).__name__} is not a value of a spec")
    found = [(f, getattr(value, f.name)) for f in fields(value) if f.compare and f.name not in without]
    return [(field.name, part) for field, part in found if not _is_default(field, part)]


def _is_default(field: Any, value: object) -> bool:  # noqa: ANN401 -- a dataclass's field is generic
    if field.default is not MISSING:
        return bool(field.default == value and type(field.default) is type(value))
    return bool(field.default_factory is not MISSING and field.default_factory() == value)


def settings(value: object, *without: str) -> tuple[tuple[str, str], ...]:
    """Return what a dataclass says beyond its defaults: name and words of each field."""
    return tuple((name, words(part)) for name, part in _said(value, *without))


def checks(block: object, path: str) -> tuple[tuple[str, str, Expectation | None], ...]:
    """Return each expectation of an `expect` block: its key, what it says, and the expectation where it is one."""
    found: list[tuple[str, str, Expectation | None]] = []
    for name, part in _said(block):
        if isinstance(part, tuple):
            found += [(f"{path}.{name}[{i}]", _check(each), _own(each)) for i, each in enumerate(part)]
        elif is_dataclass(part) and len(inner := _said(part, *_SHARED)) > 1:
            # A block of several checks, such as graph: one line for each of them.
            found += [(f"{path}.{name}.{key}", words(each), _own(part)) for key, each in inner]
        else:
            found.append((f"{path}.{name}", _check(part), _own(part)))
    return tuple(found)


def _check(value: object) -> str:
    return words(dict(_said(value, *_SHARED))) if isinstance(value, Expectation) else words(value)


def _own(value: object) -> Expectation | None:
    return value if isinstance(value, Expectation) else None


def moment_text(moment: Moment) -> str:
    """Return when a fault is due, e.g. `+2s`, `before step place`, `during step place +200ms`, `when tcp {…}`."""
    match moment:
        case AtOffset(offset=offset):
            return f"+{offset}"
        case AtStep(moment=relation, step=step, offset=offset):
            return f"{relation} step {step}" + (f" +{offset}" if offset.ns else "")
        case AtProbe(probe=probe, offset=offset):
            return f"when {words(probe)}" + (f" +{offset}" if offset.ns else "")
        case AtManual():
            return "by hand"

"""Frozen values of a spec as plain JSON, for digests and for `cleanroom plan --format json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass

from cleanroom.canonical import Json
from cleanroom.quantity import Duration, Rate, Size
from cleanroom.spec.templates.runtime_text import RuntimeText

_EXACT = 2**53  # RFC 8785 numbers are doubles


def plain(value: object) -> Json:  # noqa: PLR0911 -- one return for each kind of value
    """Return `value` as JSON; raises `TypeError` for what is not a value of a spec.

    A dataclass becomes its class name and its fields; fields that do not compare (source positions) are left out, so
    that moving a block in a file changes no digest. Quantities become `{"ns": …}`, `{"bytes": …}`, `{"bits": …}`.
    """
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, RuntimeText):
        return _open(value)
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return value if abs(value) <= _EXACT else str(value)
    if isinstance(value, Duration | Size | Rate):
        (only,) = fields(value)
        return {only.name: plain(getattr(value, only.name))}
    if is_dataclass(value) and not isinstance(value, type):
        compared = {field.name: plain(getattr(value, field.name)) for field in fields(value) if field.compare}
        return {"is": type(value).__name__, **compared}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    raise TypeError(f"{type(value).__name__} is not a value of a spec")


def _open(value: RuntimeText) -> Json:
    """Return a template that waits for the run, with what is known of it already: another variable, another digest."""
    parts = (part if isinstance(part, str) else f"{{{{ {part.source} }}}}" for part in value.parts)
    given: dict[str, object] = {}
    for part in value.parts:
        given |= {} if isinstance(part, str) else part.bindings
    text = "".join(parts)
    return {"template": text, "given": plain(given)} if given else text

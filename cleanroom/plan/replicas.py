"""Services to containers: `replicas: 3` becomes three services that know their number (spec.md sections 1 and 2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from types import MappingProxyType
from typing import Any, TypeVar

from cleanroom.errors import SpecError
from cleanroom.spec.service import Service
from cleanroom.spec.templates.expression import ExpressionError, Work, evaluate, text_of
from cleanroom.spec.templates.names import pure_functions
from cleanroom.spec.templates.runtime_text import RuntimeText

Value = TypeVar("Value")


def expand(services: tuple[Service, ...]) -> tuple[Service, ...]:
    """Return one service for each container, in the order of the file.

    A replica is called `db-1`, its templates know `replica`, its number, and `peers`, the names of all replicas. What
    depends on a service depends on all of its replicas. Raises `SpecError` for two containers of one name, and for a
    template that fails.
    """
    containers = {service.name: service.containers for service in services}
    found: list[Service] = []
    for service in services:
        after = tuple(name for needed in service.depends_on for name in containers.get(needed, (needed,)))
        if service.replicas == 1:
            found.append(service if after == service.depends_on else replace(service, depends_on=after))
            continue
        for number, name in enumerate(service.containers, start=1):
            known = {"replica": number, "peers": list(service.containers)}
            one = _evaluated(service, known, f"{service.at}: service {service.name!r}")
            found.append(replace(one, name=name, replicas=1, depends_on=after))
    _refuse_twice(found)
    return tuple(found)


def _refuse_twice(services: list[Service]) -> None:
    seen: set[str] = set()
    for service in services:
        if service.name in seen:
            raise SpecError(
                f"{service.at}: two containers are called {service.name!r}",
                remedy="give one of the services another name",
            )
        seen.add(service.name)


def _evaluated(value: Value, known: Mapping[str, object], where: str) -> Value:
    """Return `value` with every template in it evaluated, however deep it stands."""
    found: Any = value
    if isinstance(value, RuntimeText):
        found = _text(value, known, where)
    elif is_dataclass(value) and not isinstance(value, type):
        # Unchanged fields stay the same objects, so that a service without templates costs next to nothing.
        old = {each.name: getattr(value, each.name) for each in fields(value) if each.init}
        new = {name: _evaluated(part, known, where) for name, part in old.items()}
        changed = {name: part for name, part in new.items() if part is not old[name]}
        found = replace(value, **changed) if changed else value
    elif isinstance(value, Mapping):
        parts = {key: _evaluated(part, known, where) for key, part in value.items()}
        found = value if all(parts[key] is value[key] for key in parts) else MappingProxyType(parts)
    elif isinstance(value, tuple):
        items = tuple(_evaluated(part, known, where) for part in value)
        found = value if all(new is old for new, old in zip(items, value, strict=True)) else items
    kept: Value = found
    return kept


def _text(text: RuntimeText, known: Mapping[str, object], where: str) -> str:
    spent = Work()
    try:
        return "".join(
            part
            if isinstance(part, str)
            else text_of(evaluate(part.source, {**part.bindings, **pure_functions(), **known}, spent))
            for part in text.parts
        )
    except ExpressionError as err:
        raise SpecError(f"{where}: {str(text)!r} cannot be evaluated: {err}", remedy="correct the template") from err

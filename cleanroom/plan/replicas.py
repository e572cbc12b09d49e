"""Services to containers: `replicas: 3` becomes three services that know their number (spec.md sections 1 and 2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from cleanroom.errors import SpecError
from cleanroom.spec.service import Service
from cleanroom.spec.templates.expression import ExpressionError
from cleanroom.spec.templates.late import evaluated


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
            one = _evaluated(service, known)
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


def _evaluated(service: Service, known: Mapping[str, object]) -> Service:
    try:
        return evaluated(service, known)
    except ExpressionError as err:
        message = f"{service.at}: service {service.name!r}: {err}"
        raise SpecError(message, remedy="correct the template") from err

"""How a spec itself gets into its databases and caches: faults that strike these by their own means go the same way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from types import MappingProxyType

from cleanroom.errors import CapabilityError
from cleanroom.spec.query import RedisAction, SqlAction
from cleanroom.spec.suite import Suite


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Service → the first action of the spec that asks it; its readiness comes first, then the order of the file."""

    sql: Mapping[str, SqlAction] = field(default_factory=lambda: MappingProxyType({}))
    redis: Mapping[str, RedisAction] = field(default_factory=lambda: MappingProxyType({}))

    def sql_of(self, service: str) -> SqlAction:
        """Return the way into a database; raises `CapabilityError` where the spec knows none."""
        if service not in self.sql:
            raise CapabilityError(
                f"nothing in the spec says how to get into the database of {service}",
                remedy="ask it something by `sql`, best in its `ready`, as a user who may do what the fault does",
            )
        return self.sql[service]

    def redis_of(self, service: str) -> RedisAction:
        """Return the way into a cache; one that no action names is at Redis' own port."""
        return self.redis.get(service, RedisAction(service=service, commands=()))


def access_of(suite: Suite) -> Access:
    """Return the ways that `suite` names."""
    sql: dict[str, SqlAction] = {}
    redis: dict[str, RedisAction] = {}
    for service in suite.services:
        _take(service.ready, service.name, sql, redis)
    _take(suite, "", sql, redis)
    return Access(sql=MappingProxyType(sql), redis=MappingProxyType(redis))


def _take(value: object, implied: str, sql: dict[str, SqlAction], redis: dict[str, RedisAction]) -> None:
    for action in _actions(value):
        if isinstance(action, SqlAction):
            sql.setdefault(action.service or implied, action)
        else:
            redis.setdefault(action.service or implied, action)


def _actions(value: object) -> Iterator[SqlAction | RedisAction]:
    """Yield what asks a database or a cache, wherever it stands in a value of the spec."""
    if isinstance(value, SqlAction | RedisAction):
        yield value
    elif is_dataclass(value):
        for part in fields(value):
            yield from _actions(getattr(value, part.name))
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _actions(part)
    elif isinstance(value, tuple):
        for part in value:
            yield from _actions(part)

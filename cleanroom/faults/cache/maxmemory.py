"""`cache.maxmemory(memory, policy)`: the cache has less memory until the fault's end."""

from __future__ import annotations

from cleanroom.canonical import Json
from cleanroom.errors import EngineError
from cleanroom.faults.base import Evidence, FaultContext
from cleanroom.faults.cache.client import Cache, RefusedError
from cleanroom.plan.model import FaultEvent
from cleanroom.quantity import Size

_PROBE = "cleanroom:maxmemory"


class LessMemory:
    """One cache."""

    def __init__(self, event: FaultEvent, context: FaultContext, target: str) -> None:
        self.target = target
        self._cache = Cache(context, target)
        memory = event.parameters["memory"]
        assert isinstance(memory, Size)  # noqa: S101 - the shape of the parameter
        self._wanted = {"maxmemory": str(memory.bytes), "maxmemory-policy": str(event.parameters["policy"])}
        self._before: dict[str, str] = {}
        self._evicted = self._errors = 0
        self._refused = False
        self._lapsed = ""
        self._facts: dict[str, Json] = {}

    def _settings(self) -> dict[str, str]:
        return {name: self._cache.setting(name) for name in self._wanted}

    def _set(self, values: dict[str, str]) -> None:
        self._cache.ask(*(("CONFIG", "SET", name, value) for name, value in values.items()))

    def _count(self) -> tuple[int, int]:
        """Return how many keys were evicted, and how many commands refused for want of memory, since it started."""
        return self._cache.figure("stats", "evicted_keys"), self._cache.figure("errorstats", "errorstat_OOM")

    def inject(self) -> None:
        """Set limit and policy; raises `EngineError`."""
        self._before = self._settings()
        self._evicted, self._errors = self._count()
        self._set(self._wanted)

    def verify(self) -> Evidence:
        """Hold when the server has the limit and it bites: a write of ours is refused, or keys are evicted for it."""
        now = self._settings()
        used = self._cache.figure("memory", "used_memory")
        try:
            self._cache.ask(("SET", _PROBE, "x", "PX", "1000"))
        except RefusedError as err:
            self._refused = "OOM" in err.message
            if not self._refused:
                raise
        evicted, errors = self._count()
        facts: dict[str, Json] = {
            **{name.replace("-", "_"): value for name, value in now.items()}, "used_memory": used,
            "write_refused": self._refused, "evicted": evicted - self._evicted,
        }  # fmt: skip
        self._errors = errors
        reason = "" if now == self._wanted else "the server does not have the limit"
        return Evidence(holds=not reason, facts=facts, reason=reason)

    def revert(self) -> None:
        """Give it its own settings back; note whether the limit ever bit."""
        if not self._before:
            return
        evicted, errors = self._count()
        now = self._settings()
        self._facts = {"evicted_in_all": evicted - self._evicted, "refused_in_window": errors - self._errors}
        if now != self._wanted:
            self._lapsed = "the limit was changed by somebody else meanwhile"
        elif not self._refused and evicted <= self._evicted and errors <= self._errors:
            self._lapsed = "no write was refused and no key evicted: the cache never came to its limit"
        self._set(self._before)
        self._cache.ask(("DEL", _PROBE))

    def verify_reversal(self) -> Evidence:
        """Hold when the settings are what they were."""
        try:
            now = self._settings()
        except EngineError as err:
            return Evidence(holds=False, reason=err.message)
        back = not self._before or now == self._before
        return Evidence(holds=back, facts=self._facts, reason="" if back else f"it has {now}", lapsed=self._lapsed)

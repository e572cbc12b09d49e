"""The search for an example that breaks a property, and for the smallest such: hypothesis, on real runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import hypothesis
from hypothesis import HealthCheck, Phase, Verbosity, settings
from hypothesis.errors import HypothesisException

from cleanroom.canonical import Json, canonical_bytes
from cleanroom.clock import Clock
from cleanroom.errors import EngineError
from cleanroom.run.strategy import examples_of
from cleanroom.spec.property import Property

Example = Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a search came to; `broken` tells how the smallest example failed, empty where none did."""

    example: Example
    """The smallest one that fails, else the first that was tried."""
    broken: str
    tried: int
    """Examples that really ran."""
    shrunk_out: bool = False
    """The time for shrinking was over before hypothesis was done."""


class _BrokenError(Exception):
    """Tells hypothesis that an example fails; one class and one place, so that it takes all for one defect."""


class _Search:
    def __init__(self, check: Callable[[Example], str], budget: float, clock: Clock) -> None:
        self._check = check
        self._budget = budget
        self._clock = clock
        self._known: dict[bytes, str] = {}
        self._until: float | None = None
        self.first: Example | None = None
        self.failing: tuple[Example, str] | None = None
        self.shrunk_out = False

    @property
    def tried(self) -> int:
        return len(self._known)

    def __call__(self, example: Example) -> None:
        key = canonical_bytes(dict(example))
        if key not in self._known:
            if self._until is not None and self._clock.monotonic() >= self._until:
                # Nothing that is not known already is smaller: this ends the shrinking with what was found.
                self.shrunk_out = True
                return
            self._known[key] = self._check(example)
            self.first = example if self.first is None else self.first
        if self._known[key]:
            # Hypothesis shows the smallest one last.
            self.failing = (example, self._known[key])
            self._until = self._clock.monotonic() + self._budget if self._until is None else self._until
            raise _BrokenError


def search(wanted: Property, seed: int, clock: Clock, check: Callable[[Example], str]) -> Found:
    """Try examples by `check`, which returns why one fails or the empty string, and shrink what fails.

    The same seed and the same answers give the same examples: there is no database of earlier ones. What `check`
    raises of the kind `BaseException` ends the search. Raises `EngineError` when hypothesis itself gives up.
    """
    one = _Search(check, wanted.shrink.seconds, clock)
    try:
        _trial(wanted, seed, one)()
    except _BrokenError:
        pass
    except HypothesisException as err:
        raise EngineError(f"no examples could be generated: {err}", remedy="loosen the property's generators") from err
    if one.failing is not None:
        example, broken = one.failing
        return Found(example=example, broken=broken, tried=one.tried, shrunk_out=one.shrunk_out)
    if one.first is None:
        raise EngineError("no example was generated", remedy="loosen the property's generators")
    return Found(example=one.first, broken="", tried=one.tried)


def _trial(wanted: Property, seed: int, one: _Search) -> Callable[[], None]:
    """Return what has hypothesis call `one` for each example; everything that is not the seed's is turned off."""
    calm = settings(
        max_examples=wanted.examples, database=None, deadline=None, report_multiple_bugs=False, print_blob=False,
        phases=[Phase.generate, Phase.shrink] if wanted.shrink.ns else [Phase.generate], verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip

    def holds(example: Example) -> None:
        one(example)

    trial: Callable[[], None] = hypothesis.seed(seed)(calm(hypothesis.given(examples_of(wanted.given))(holds)))
    return trial

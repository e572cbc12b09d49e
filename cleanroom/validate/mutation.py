"""Mutants of a recorded trace: what a system would have sent, had one thing been wrong with it.

Pure and seeded: the same recording and seed make the same mutants, a bounded number for each operator and span name.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice, zip_longest

from cleanroom.trace.model import Span, Trace
from cleanroom.trace.tree import span_path
from cleanroom.validate.occurrence import Window
from cleanroom.validate.operators import OF_ALL, OF_SPAN, Change
from cleanroom.validate.stage import Stage

PER_OPERATOR = 2


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """A recording with one change: which operator made it, where, and what it did in words."""

    operator: str
    path: str
    """Names from the root to the changed span; the service's name, or nothing, where there is no one span."""
    detail: str
    change: Change
    recorded: tuple[Span, ...]
    windows: Mapping[str, tuple[Window, ...]]

    @cached_property
    def spans(self) -> tuple[Span, ...]:
        """What the services would have sent."""
        edits = self.change.edits
        return tuple(chain.from_iterable(edits.get(i, (s,)) for i, s in enumerate(self.recorded)))

    @property
    def subjects(self) -> tuple[Span, ...]:
        """The recorded spans that were changed, in order."""
        return tuple(self.recorded[index] for index in sorted(self.change.edits))

    @property
    def key(self) -> str:
        """The attribute, event or fault that the change is about; empty where there is none."""
        return self.change.key


def mutants(
    spans: tuple[Span, ...],
    trace: Trace,
    *,
    windows: Mapping[str, tuple[Window, ...]],
    seed: int,
    per_operator: int = PER_OPERATOR,
) -> tuple[Mutant, ...]:
    """Return the mutants of `spans`, which belong to `trace` (the runner's spans with them), in a stable order.

    `windows` are the times of the faults by their ids. At most `per_operator` of each operator for each span name of a
    service (for each service, or in all, for those that take whole groups of spans away).
    """
    stage = Stage(spans=spans, trace=trace, windows=windows)
    return tuple(chain(_of_spans(stage, seed, per_operator), _of_groups(stage)))


def _of_spans(stage: Stage, seed: int, bound: int) -> Iterator[Mutant]:
    for operator, apply in OF_SPAN.items():
        for (service, name), indexes in stage.groups.items():
            rng = random.Random(f"{seed}:{operator}:{service}:{name}")  # noqa: S311 -- a choice, not a secret
            chosen = sorted(rng.sample(indexes, min(bound, len(indexes))))
            # One change of each chosen span before a second one of any.
            rounds = zip_longest(*(apply(stage, index, rng) for index in chosen))
            real = (change for change in chain.from_iterable(rounds) if change is not None and _changes(stage, change))
            for change in islice(real, bound):
                yield _mutant(stage, operator, change)


def _changes(stage: Stage, change: Change) -> bool:
    """Whether anything is otherwise than recorded: in odd traces (spans of one id) a change may come to nothing."""
    return any(spans != (stage.spans[index],) for index, spans in change.edits.items())


def _of_groups(stage: Stage) -> Iterator[Mutant]:
    for operator, apply in OF_ALL.items():
        for change in apply(stage):
            yield _mutant(stage, operator, change)


def _mutant(stage: Stage, operator: str, change: Change) -> Mutant:
    path = change.where if change.index is None else span_path(stage.trace, stage.spans[change.index])
    return Mutant(
        operator=operator, path=path, detail=change.detail, change=change, recorded=stage.spans, windows=stage.windows
    )

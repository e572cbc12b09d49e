"""Noise learned from stored runs: what differed over many iterations, and the rules that would take it away.

Nothing here changes a digest: what is learned is offered, and a person writes it into the spec, or does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from cleanroom.trace.difference import Classification, Difference, differences
from cleanroom.trace.normalise import NormalisedTrace
from cleanroom.trace.proposal import Again, Proposal, Watch, propose

_MAX_DIFFERENCES = 2000
_MAX_VALUES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """One place that differed, by the span's path and the field."""

    path: str
    attribute: str
    classification: Classification
    iterations: int
    """In how many iterations it differed from the first one."""
    values: tuple[str, ...]
    """The first five values that were seen, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """What differed, the most frequent first, and the rules that make all iterations equal where there are such."""

    iterations: int
    noise: tuple[Noise, ...] = ()
    proposal: Proposal | None = None
    """None where nothing differed."""


def learn_noise(runs: Sequence[NormalisedTrace], again: Again, watch: Watch | None = None) -> Learned:
    """Return what differs among the iterations of any number of runs of one spec.

    `again` and `watch` are those of `propose`. Raises `ValueError` for different rule sets: such runs are not
    comparable.
    """
    if len({run.rule_set for run in runs}) > 1:
        raise ValueError("traces that were normalised under different rule sets are not comparable")
    found: dict[tuple[str, str, Classification], list[tuple[int, Difference]]] = {}
    for number, run in enumerate(runs[1:], start=1):
        for each in islice(differences(runs[0].spans, run.spans), _MAX_DIFFERENCES):
            found.setdefault((each.path, each.attribute, each.classification), []).append((number, each))
    noise = [
        Noise(
            path=path,
            attribute=attribute,
            classification=classification,
            iterations=len({number for number, _ in seen}),
            values=tuple(dict.fromkeys(value for _, each in seen for value in each.values))[:_MAX_VALUES],
        )
        for (path, attribute, classification), seen in found.items()
    ]
    noise.sort(key=lambda each: -each.iterations)
    return Learned(iterations=len(runs), noise=tuple(noise), proposal=propose(runs, again, watch) if noise else None)

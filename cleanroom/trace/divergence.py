"""The first difference between normalised traces, named by span path and attribute, with the rule that would help."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cleanroom.trace.applied import applied
from cleanroom.trace.beside import Row, side_by_side
from cleanroom.trace.difference import ABSENT, Classification, Difference, differences, shown_text
from cleanroom.trace.normalise import NormalisedTrace
from cleanroom.trace.proposal import Again, Proposal, Rules, Watch, propose

__all__ = ["ABSENT", "Classification", "Divergence", "Row", "first_divergence", "shown_text"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Divergence:
    """Where iterations first part: `left` is the first iteration, `right` the first that differs from it."""

    left: int
    right: int
    path: str
    """Span path from a root, e.g. `GET /orders > INSERT orders`, or `step <name>` / `fault <id>`."""
    attribute: str
    """e.g. `attributes.order.id`, `status`, `name`; empty for a missing or extra span."""
    left_value: str
    right_value: str
    classification: Classification
    proposal: str = ""
    """The normalisation rules that make them equal, e.g. `drop: [order.id]`; empty where none should be offered."""
    rules: Rules | None = None
    """The proposal as values."""
    obstacle: str = ""
    """Why no rule is proposed."""
    rows: tuple[Row, ...] = ()
    """Both sides around the difference: the fields of one span, or siblings."""


def first_divergence(
    runs: Sequence[NormalisedTrace], *, again: Again | None = None, watch: Watch | None = None
) -> Divergence | None:
    """Return where the first run that differs from `runs[0]` parts from it, or None when all are equal.

    `left` and `right` are indexes into `runs`. A proposal is given only when applying it makes all runs equal, and when
    it hides nothing that `watch` looks at; `again` normalises a run anew under a proposal. Raises `ValueError` for
    different rule sets: such runs are not comparable, never different.
    """
    if len({run.rule_set for run in runs}) > 1:
        raise ValueError("traces that were normalised under different rule sets are not comparable")
    found = _first(runs)
    if found is None:
        return None
    index, difference = found
    proposal: Proposal = propose(runs, again or (lambda number, rules: applied(runs[number], rules)), watch)
    return Divergence(
        left=0,
        right=index,
        path=difference.path,
        attribute=difference.attribute,
        left_value=difference.values[0],
        right_value=difference.values[1],
        classification=difference.classification,
        proposal=proposal.rules.text if proposal.rules is not None else "",
        rules=proposal.rules,
        obstacle=proposal.obstacle,
        rows=side_by_side(runs[0].spans, runs[index].spans, difference),
    )


def _first(runs: Sequence[NormalisedTrace]) -> tuple[int, Difference] | None:
    for index, run in enumerate(runs[1:], start=1):
        difference = next(differences(runs[0].spans, run.spans), None)
        if difference is not None:
            return index, difference
    return None

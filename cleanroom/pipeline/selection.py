"""Which suites and scenarios a call asks for, by tier and by tag, and how long a tier's scenarios may take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from cleanroom.pipeline.options import RunOptions
from cleanroom.quantity import Duration
from cleanroom.run.skipped import Skipped, skipped_of
from cleanroom.spec.suite import TIERS, Suite


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The suites to run, in the given order, and what was left out."""

    suites: tuple[Suite, ...]
    skipped: tuple[Skipped, ...]


def choose(suites: Sequence[Suite], options: RunOptions) -> Chosen:
    """Return what `options` choose. Tiers are cumulative: `full` takes smoke suites too, `weekly` takes all."""
    taken: list[Suite] = []
    skipped: list[Skipped] = []
    for suite in suites:
        if options.tier and TIERS.index(suite.tier) > TIERS.index(options.tier):
            why = f"its tier is {suite.tier}, and the call is for {options.tier}"
            skipped.append(skipped_of(suite, suite.scenarios, "tier", why))
            continue
        scenarios = tuple(s for s in suite.scenarios if _tagged(options.tags, suite.tags, s.tags))
        left = tuple(s for s in suite.scenarios if not _tagged(options.tags, suite.tags, s.tags))
        if left:
            why = f"none of the tags {', '.join(options.tags)}"
            skipped.append(skipped_of(suite, left, "tags", why))
        if scenarios:
            taken.append(_limited(replace(suite, scenarios=scenarios), options.tier_timeouts))
    return Chosen(suites=tuple(taken), skipped=tuple(skipped))


def nothing_chosen(options: RunOptions) -> str:
    """Return in words that nothing was chosen, and by what."""
    asked = [f"is of tier {options.tier} or below"] if options.tier else []
    asked += [f"has one of the tags {', '.join(options.tags)}"] if options.tags else []
    return f"no scenario {' and '.join(asked) or 'is in the files that were named'}"


def _tagged(wanted: Sequence[str], of_suite: Sequence[str], own: Sequence[str]) -> bool:
    return not wanted or bool(set(wanted) & {*of_suite, *own})


def _limited(suite: Suite, limits: Mapping[str, Duration]) -> Suite:
    """Shorten the timeouts of the suite's scenarios to what its tier may take."""
    limit = limits.get(suite.tier)
    if limit is None:
        return suite
    return replace(suite, scenarios=tuple(replace(s, timeout=min(s.timeout, limit)) for s in suite.scenarios))

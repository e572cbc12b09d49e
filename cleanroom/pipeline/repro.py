"""The one line that reproduces a run."""

from __future__ import annotations

import shlex

from cleanroom.pipeline.options import RunOptions
from cleanroom.pipeline.suites import Loaded


def repro_line(options: RunOptions, loaded: Loaded | None) -> str:
    """Return the command that does the same again: same specs, same seed, same variables; secrets are left out."""
    words = [options.repro_command, *(shlex.quote(s) for s in options.specs)]
    seeds = {p.seed for p in loaded.plans} if loaded is not None and loaded.plans else {options.seed}
    # Different seeds are those that the specs themselves say: one for all would change some of them.
    if len(seeds) == 1 and None not in seeds:
        words += ["--seed", str(*seeds)]
    if options.iterations is not None:
        words += ["--iterations", str(options.iterations)]
    for tag in options.tags:
        words += ["--tags", shlex.quote(tag)]
    words += _limits(options)
    for name, value in sorted(options.variables.items()):
        shown = "***" if value in options.secrets else value
        words += ["--var", shlex.quote(f"{name}={shown}")]
    for name in sorted(options.environment):
        words += [] if name.startswith("CLEANROOM_") else ["--allow-env", shlex.quote(name)]
    return " ".join(words)


def _limits(options: RunOptions) -> list[str]:
    """Return what chooses by tier, what decides, and what ends the run early."""
    words = ["--tier", options.tier] if options.tier else []
    for tier, limit in sorted(options.tier_timeouts.items()):
        words += ["--tier-timeout", f"{tier}={limit}"]
    for rate in options.pass_rates:
        least = f"{rate.least / 100:g}"
        words += ["--min-pass-rate", shlex.quote(f"{rate.tag}={least}") if rate.tag else least]
    words += ["--example", shlex.quote(options.example)] if options.example else []
    words += ["--max-failures", str(options.max_failures)] if options.max_failures is not None else []
    return words + (["--budget", str(options.budget)] if options.budget is not None else [])

"""The one line that reproduces a run."""

from __future__ import annotations

import shlex

from cleanroom.pipeline.options import RunOptions
from cleanroom.pipeline.suites import Loaded


def repro_line(options: RunOptions, loaded: Loaded | None) -> str:
    """Return the command that does the same again: same specs, same seed, same variables; secrets are left out."""
    words = [options.repro_command, *(shlex.quote(s) for s in options.specs)]
    seed = loaded.plans[0].seed if loaded is not None and loaded.plans else options.seed
    if seed is not None:
        words += ["--seed", str(seed)]
    if options.iterations is not None:
        words += ["--iterations", str(options.iterations)]
    for tag in options.tags:
        words += ["--tags", shlex.quote(tag)]
    for name, value in sorted(options.variables.items()):
        shown = "***" if value in options.secrets else value
        words += ["--var", shlex.quote(f"{name}={shown}")]
    for name in sorted(options.environment):
        words += [] if name.startswith("CLEANROOM_") else ["--allow-env", shlex.quote(name)]
    return " ".join(words)

"""What a run was asked to do: one value made by the command line or by the action."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, TypeAlias

from cleanroom.quantity import Duration
from cleanroom.run.pass_rate import PassRate
from cleanroom.spec.suite import Tier

EngineMode: TypeAlias = Literal["auto", "cell", "own", "host"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """Options of `run`; paths are absolute, patterns are relative to `root`."""

    specs: tuple[str, ...]
    root: str
    """The workspace: spec files and build contexts lie in it, and nothing outside of it is read."""
    out: str
    """Where the report goes."""
    tags: tuple[str, ...] = ()
    tier: Tier | None = None
    """Only suites of this tier and of those before it; None: all."""
    tier_timeouts: Mapping[str, Duration] = field(default_factory=lambda: MappingProxyType({}))
    """Tier → the longest that a scenario of its suites may take."""
    pass_rates: tuple[PassRate, ...] = ()
    max_failures: int | None = None
    """No suite starts after so many failed scenarios."""
    example: str = ""
    """A JSON object: the one example that properties of these names are run for; empty: they search."""
    budget: Duration | None = None
    """No suite starts later than this after the begin of the work."""
    iterations: int | None = None
    seed: int | None = None
    random_seed: bool = False
    """Draw a fresh seed and print it."""
    variables: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    environment: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Variables of our environment that templates may read: allowed ones only."""
    engine: EngineMode = "auto"
    image: str = ""
    """The cell's image; empty for that of the container we run in."""
    image_cache: Literal["auto", "off"] = "auto"
    cache_scope: str = ""
    state_dir: str = ""
    jobs: int | None = None
    """Iterations at a time at most; None: one more than there are CPUs."""
    registry_auth: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: MappingProxyType({}))
    """Registry → credentials, for pulls and nothing else."""
    secrets: tuple[str, ...] = ()
    """Texts that are masked wherever they would be written."""
    fail_on_empty: bool = True
    keep: bool = False
    progress: Literal["live", "plain", "quiet"] = "plain"
    columns: int = 100
    """Width of the terminal, for live progress."""
    owner: tuple[int, int] | None = None
    """(uid, gid) that report files get; None: our own."""
    repro_command: str = "cleanroom run"

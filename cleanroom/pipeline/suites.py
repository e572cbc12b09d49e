"""Specs to plans: what is to be run, or every problem of every file."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cleanroom.errors import ExitCode, InconclusiveError, SpecError, UsageError
from cleanroom.pipeline.options import RunOptions
from cleanroom.pipeline.selection import choose, nothing_chosen
from cleanroom.plan.build import build_plan
from cleanroom.plan.model import Plan
from cleanroom.plan.surroundings import nuisances
from cleanroom.run.skipped import Skipped
from cleanroom.spec.discover import NothingMatchedError, discover
from cleanroom.spec.load import RenderedSpec, load_spec, render_spec
from cleanroom.spec.problem import nearest, render_problems
from cleanroom.spec.source import Problem
from cleanroom.spec.suite import Suite
from cleanroom.text import one_line

MAX_SEED = 2**31
_WORD = re.compile(r"\w+")
_READ = re.compile(r"\bvars\.(\w+)")


def load_runnable(options: RunOptions) -> Loaded:
    """Do as `load_plans` for a run: raises `InvalidSpecsError` also for what `run` cannot carry out yet, by name."""
    loaded = load_plans(options)
    missing = dict.fromkeys(problem for suite in loaded.suites for problem in suite.unavailable)
    if missing:
        raise InvalidSpecsError(tuple(sorted(missing, key=lambda problem: (problem.at, problem.message))))
    _check_example(options.example, loaded)
    return loaded


def _check_example(text: str, loaded: Loaded) -> None:
    """Refuse an example that no property takes: what was asked for would not be run. Raises `UsageError`."""
    if not text:
        return
    try:
        example = json.loads(text)
    except (ValueError, RecursionError):
        example = None
    if not isinstance(example, dict):
        raise UsageError(
            f"--example {one_line(text, 80)}: expected a JSON object", remedy='write it as {"name": value}'
        )
    given = [s.property.given.keys() for suite in loaded.suites for s in suite.scenarios if s.property is not None]
    if example.keys() not in given:
        known = "; ".join(", ".join(names) for names in given) or "none has a property"
        raise UsageError(
            f"--example: no scenario generates {', '.join(example) or 'nothing'}", remedy=f"known: {known}"
        )


def load_some(options: RunOptions) -> Loaded:
    """Do as `load_plans`, but refuse an empty selection with `UsageError`: silence would pass for a check."""
    loaded = load_plans(options)
    if not loaded.plans:
        raise UsageError(nothing_chosen(options), remedy="correct the tags or the tier")
    return loaded


def check_machine(plans: Sequence[Plan], cpus: int) -> None:
    """Refuse with `InconclusiveError` what a machine with so many CPUs cannot vary, before anything is started."""
    for plan in plans:
        for scenario in plan.suite.scenarios:
            if cpus == 1 and "cpus" in nuisances(plan.suite, scenario.name):
                raise InconclusiveError(
                    f"{plan.suite.determinism.at}: {plan.suite.name} varies cpus, and this machine has one CPU",
                    remedy="run it on a machine with more, or take cpus out of `vary`",
                )


class InvalidSpecsError(SpecError):
    """At least one spec is invalid; carries the problems as values."""

    exit_code = ExitCode.INVALID_SPEC

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__(render_problems(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Loaded:
    """The suites that were asked for, in order of file, and the options with a drawn seed fixed."""

    options: RunOptions
    plans: tuple[Plan, ...]
    skipped: tuple[Skipped, ...] = ()
    """What was not asked for: other tiers, other tags."""

    @property
    def suites(self) -> tuple[Suite, ...]:
        """The plans' suites."""
        return tuple(p.suite for p in self.plans)


def load_plans(options: RunOptions) -> Loaded:
    """Load, filter by tier and tag, and plan every spec.

    Raises `InvalidSpecsError` with the problems of all files, `UsageError` for a pattern that matches nothing.
    """
    options = _with_seed(options)
    suites = _load(options)
    if options.seed is None and any(s.determinism.random_seed for s in suites):
        # Templates may have used the seed, so what was drawn has to be known when they are rendered.
        options = replace(options, seed=secrets.randbelow(MAX_SEED))
        suites = _load(options)
    _check_names(suites)
    chosen = choose(suites, options)
    plans = tuple(build_plan(s, seed=options.seed, iterations=options.iterations) for s in chosen.suites)
    return Loaded(options, plans, chosen.skipped)


def _load(options: RunOptions) -> list[Suite]:
    root = Path(options.root)
    suites: list[Suite] = []
    problems: list[Problem] = []
    files = _files(options, root)
    for path in files:
        loaded = load_spec(
            path, root=root, variables=options.variables, environment=options.environment, seed=options.seed
        )
        suites.extend(loaded.suites)
        problems.extend(loaded.problems)
    if problems:
        raise InvalidSpecsError(tuple(problems))
    _check_variables(options, files)
    return suites


def _check_variables(options: RunOptions, files: Sequence[Path]) -> None:
    """Refuse a variable that no spec names: what was meant has been given to nobody. Raises `UsageError`."""
    if not options.variables or not files:
        return
    text = "\n".join(path.read_text(encoding="utf-8", errors="replace") for path in files)
    words = set(_WORD.findall(text))
    for name in options.variables:
        if name not in words:
            close = nearest(name, _READ.findall(text))
            raise UsageError(
                f"no spec reads the variable {one_line(name)!r}",
                remedy=f"did you mean {close}?" if close else "take it out, or read it in a template: vars.NAME",
            )


def render_specs(options: RunOptions) -> tuple[RenderedSpec, ...]:
    """Return what templates make of every spec; `--seed random` is drawn here.

    Raises `InvalidSpecsError` with the problems of all files, `UsageError` for a pattern that matches nothing.
    """
    options = _with_seed(options)
    root = Path(options.root)
    files = discover(options.specs, root)
    rendered = tuple(
        render_spec(path, root=root, variables=options.variables, environment=options.environment, seed=options.seed)
        for path in files
    )
    problems = tuple(problem for spec in rendered for problem in spec.problems)
    if problems:
        raise InvalidSpecsError(problems)
    _check_variables(options, files)
    return rendered


def _files(options: RunOptions, root: Path) -> tuple[Path, ...]:
    """Return the spec files; an empty selection is the caller's to allow, nothing else that is wrong with it is."""
    try:
        return discover(options.specs, root)
    except NothingMatchedError:
        if options.fail_on_empty:
            raise
        return ()


def _with_seed(options: RunOptions) -> RunOptions:
    """Fix a random seed here, once: everything below only sees a number, which every report prints."""
    return replace(options, seed=secrets.randbelow(MAX_SEED), random_seed=False) if options.random_seed else options


def _check_names(suites: Sequence[Suite]) -> None:
    seen: dict[str, str] = {}
    for suite in suites:
        if suite.name in seen:
            raise UsageError(
                f"two suites are called {suite.name!r}: {seen[suite.name]} and {suite.file}",
                remedy="give one of them another meta.name",
            )
        seen[suite.name] = suite.file

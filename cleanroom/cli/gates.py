"""Arguments that decide about a run as a whole: shares of passing scenarios, limits of failures and of time."""

from __future__ import annotations

import argparse
from typing import Any

from cleanroom.errors import UsageError
from cleanroom.quantity import parse_duration
from cleanroom.run.pass_rate import read_pass_rates
from cleanroom.run.tier_timeout import read_tier_timeouts


def add_gates(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "--min-pass-rate", action="append", default=[], metavar="[TAG=]PERCENT",
        help="the run passes when this share of the required suites' scenarios does, of all or of those with a tag; "
        "their findings then decide by the share alone",
    )  # fmt: skip
    parser.add_argument(
        "--max-failures", type=int, default=None, metavar="N", help="start no suite after N failed scenarios"
    )
    parser.add_argument("--fail-fast", action="store_true", help="the same as --max-failures 1")
    parser.add_argument(
        "--budget", default=None, metavar="TIME",
        help="start no suite later than this, e.g. 10m; what is left out is named, and the run is inconclusive",
    )  # fmt: skip
    parser.add_argument(
        "--tier-timeout", action="append", default=[], metavar="TIER=TIME",
        help="the longest that a scenario of this tier's suites may take, where its own timeout is longer",
    )  # fmt: skip


def gates_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the options of a run that the arguments say, by name; raises `UsageError`."""
    most = arguments.max_failures
    if arguments.fail_fast:
        if most not in (None, 1):
            raise UsageError(f"--fail-fast and --max-failures {most} contradict each other", remedy="keep one of them")
        most = 1
    if most is not None and most < 1:
        raise UsageError(f"--max-failures {most}: expected at least 1")
    try:
        rates = read_pass_rates(tuple(arguments.min_pass_rate))
    except ValueError as err:
        raise UsageError(f"--min-pass-rate {err}") from err
    try:
        timeouts = read_tier_timeouts(tuple(arguments.tier_timeout))
    except ValueError as err:
        raise UsageError(f"--tier-timeout {err}") from err
    try:
        budget = parse_duration(arguments.budget) if arguments.budget is not None else None
    except ValueError as err:
        raise UsageError(f"--budget {err}", remedy="write a time like 10m") from err
    if budget is not None and not budget.ns:
        raise UsageError("--budget 0: nothing could ever start", remedy="write a time like 10m")
    return {"pass_rates": rates, "max_failures": most, "budget": budget, "tier_timeouts": timeouts}

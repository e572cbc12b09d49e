"""`cleanroom noise`: what differed over stored runs, and the rules that would take it away."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from cleanroom.errors import ExitCode
from cleanroom.text import one_line, relay

if TYPE_CHECKING:
    from cleanroom.trace.noise import Learned

_MOST = 50


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "noise",
        help="say what differed over stored runs",
        description="Compare the iterations of several stored runs of the same specs, name every place that differed, "
        "and offer rules of normalising that would make all of them equal. Nothing is written or applied. Exit 1 when "
        "something differed.",
    )
    parser.add_argument("journals", metavar="JOURNAL", nargs="+", help="report folders, or the journal folders in them")
    parser.set_defaults(call=_noise)


def _noise(arguments: argparse.Namespace) -> int:
    from cleanroom.pipeline.noise import noise_of  # noqa: PLC0415 - judging is heavy; help texts need none of it

    found = noise_of(arguments.journals)
    sys.stdout.write(
        relay("".join(f"{line}\n" for name, learned in found.items() for line in noise_lines(name, learned)))
    )
    return int(ExitCode.FINDINGS if any(learned.noise for learned in found.values()) else ExitCode.PASS)


def noise_lines(name: str, learned: Learned) -> Iterator[str]:
    """Yield what is told of one suite."""
    count = f"{learned.iterations} iteration{'s' if learned.iterations != 1 else ''}"
    if learned.proposal is None:
        yield one_line(f"{name}: {count}, all equal")
        return
    yield one_line(f"{name}: {count}, {len(learned.noise)} places differ")
    for each in learned.noise[:_MOST]:
        at = f"{each.path}, {each.attribute}" if each.attribute else each.path
        values = " / ".join(value or "nothing" for value in each.values)
        yield "  " + one_line(f"{each.classification} in {each.iterations}: {at}: {values}", 500)
    if len(learned.noise) > _MOST:
        yield f"  {len(learned.noise) - _MOST} more"
    if learned.proposal.rules is not None:
        yield "  " + one_line(f"if they may differ: normalize: {{{learned.proposal.rules.text}}}", 2000)
    else:
        yield "  " + one_line(f"no rule is offered: {learned.proposal.obstacle}", 500)

"""`cleanroom verify`: whether a report says what its own journal says."""

from __future__ import annotations

import argparse
import sys

from cleanroom.errors import ExitCode
from cleanroom.text import relay


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "verify",
        help="recompute a report from its journal",
        description="Judge and digest the journal of a run again and compare with report.json, digests.json, "
        "SHA256SUMS and all other files of the report. Exit 1 for any difference, 6 where a masked secret keeps "
        "something from being recomputed. Whoever rewrites the journal, every output and every sum alike is not found "
        "out: keep the digest, or the sums, elsewhere.",
    )
    parser.add_argument("journal", metavar="JOURNAL", help="report folder of a run, or the journal folder in it")
    parser.set_defaults(call=_verify)


def _verify(arguments: argparse.Namespace) -> int:
    from cleanroom.pipeline.verify import verify  # noqa: PLC0415 - judging is heavy; help texts need none of it
    from cleanroom.report.verification import verification_text  # noqa: PLC0415

    found = verify(arguments.journal)
    sys.stdout.write(relay(verification_text(found)))
    if found.discrepancies:
        return int(ExitCode.FINDINGS)
    return int(ExitCode.INCONCLUSIVE if found.unknown else ExitCode.PASS)

"""`cleanroom audit`: which changes of a recorded run a spec would let through, and what would catch them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cleanroom.cli.selection import add_templates, options_of
from cleanroom.errors import ExitCode, UsageError
from cleanroom.text import relay

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cleanroom.plan.model import Plan
    from cleanroom.run.record import SessionRecord, SuiteRecord
    from cleanroom.validate.audit import Audit, Judged

MOST_SHOWN = 200


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "audit",
        help="find what a spec would let through",
        description=(
            "Change a recorded run in many small ways, judge each mutant by the spec, and list those that it would let "
            "through, each with an expectation that would catch it. The score is the part that is caught, in percent. "
            "Mutants whose normal form is the recorded one are equivalent, and do not count. Exit 1 when the score is "
            "below --min-score, 6 when the recording holds nothing to change."
        ),
    )
    add_templates(parser)
    parser.add_argument(
        "journal", metavar="JOURNAL", help="the `journal` folder of a run that passed, or the one above"
    )
    parser.add_argument(
        "--min-score", type=float, default=0.0, metavar="N", help="exit 1 below this score, 0 to 100 (default: 0)"
    )
    parser.add_argument(
        "--mutants", type=int, default=2, metavar="N",
        help="at most so many of each kind of change for each span name, 1 to 100 (default: 2)",
    )  # fmt: skip
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how it is printed (default: text)")
    parser.set_defaults(call=_audit)


def _audit(arguments: argparse.Namespace) -> int:
    from cleanroom.run.journal import read_journal  # noqa: PLC0415 - the parser itself stays light
    from cleanroom.validate.audit import audit_suite  # noqa: PLC0415

    if not 0 <= arguments.min_score <= 100:  # noqa: PLR2004 - percent
        raise UsageError(f"--min-score {arguments.min_score:g}: expected 0 to 100")
    if not 1 <= arguments.mutants <= 100:  # noqa: PLR2004 - every mutant is judged
        raise UsageError(f"--mutants {arguments.mutants}: expected 1 to 100")
    session = read_journal(_folder(arguments.journal))
    audits = [
        audit_suite(plan, recorded.iterations, per_operator=arguments.mutants)
        for plan, recorded in _suites(arguments, session)
    ]
    sys.stdout.write(_json(audits) if arguments.format == "json" else relay(_text(audits)))
    return int(_code(audits, arguments.min_score))


def _folder(text: str) -> Path:
    path = Path(text)
    return path / "journal" if (path / "journal" / "session.json").is_file() else path


def _suites(arguments: argparse.Namespace, session: SessionRecord) -> list[tuple[Plan, SuiteRecord]]:
    """Return the plan of each suite of the spec as it is now, with what was recorded of it under the same seed."""
    from cleanroom.pipeline.suites import load_runnable  # noqa: PLC0415 - the parser itself stays light

    recorded = {suite.plan.suite.name: suite for suite in session.suites}
    found: list[tuple[Plan, SuiteRecord]] = []
    options = options_of(arguments, out="")
    for plan in load_runnable(options).plans:
        name = plan.suite.name
        if name not in recorded:
            raise UsageError(f"{plan.suite.file}: the journal holds no suite {name!r}", remedy="name the run's journal")
        was = recorded[name].plan
        if (plan.seed, plan.schedule_digest) != (was.seed, was.schedule_digest):
            raise UsageError(
                f"{plan.suite.file}: the journal's faults were drawn otherwise: its seed is {was.seed}, and this one "
                f"is {plan.seed}",
                remedy=f"give --seed {was.seed}, or record the run again if `chaos` was changed",
            )
        found.append((plan, recorded[name]))
    return found


def _code(audits: Sequence[Audit], least: float) -> ExitCode:
    scores = [audit.score for audit in audits]
    if any(score is not None and score < least for score in scores):
        return ExitCode.FINDINGS
    return ExitCode.INCONCLUSIVE if not scores or None in scores else ExitCode.PASS


def _text(audits: Sequence[Audit]) -> str:
    return "\n".join(_report(audit) for audit in audits)


def _report(audit: Audit) -> str:
    lines = [f"{audit.file}: {_summary(audit)}"]
    survivors = audit.survivors
    for one in survivors[:MOST_SHOWN]:
        what = "" if one.proposal is not None else " (no expectation of the language was found that would catch it)"
        lines.append(f"  survived: {one.mutant.operator}: {_place(one)}: {one.mutant.detail}{what}")
    if len(survivors) > MOST_SHOWN:
        lines.append(f"  and {len(survivors) - MOST_SHOWN} more")
    for scenario, proposal in audit.proposals:
        lines.append(f'what would catch them, to be put into scenario "{scenario}":')
        lines += [f"  {line}" for line in proposal.text.splitlines()]
    if audit.proposals:
        lines.append(f"with that the score is {_percent(audit.score_with_proposals)}")
    return "\n".join(lines) + "\n"


def _place(one: Judged) -> str:
    return f"{one.scenario}: {one.mutant.path}"


def _summary(audit: Audit) -> str:
    equivalent = len(audit.judged) - audit.counted
    if audit.score is None:
        return "nothing was recorded that could be changed: no score"
    caught = audit.counted - len(audit.survivors)
    figures = f"{caught} of {audit.counted} mutants are caught ({equivalent} more are equivalent)"
    return f"score {_percent(audit.score)}: {figures}"


def _percent(score: float | None) -> str:
    if score is None:
        return "none"
    # Rounded down: a score below the minimum must not be printed as the minimum.
    return f"{int(score * 10) / 10:g} %"


def _json(audits: Sequence[Audit]) -> str:
    import json  # noqa: PLC0415 - only here

    return json.dumps({"audits": [_values(audit) for audit in audits]}, indent=2) + "\n"


def _values(audit: Audit) -> dict[str, object]:
    return {
        "suite": audit.suite,
        "file": audit.file,
        "seed": audit.seed,
        "mutants": len(audit.judged),
        "equivalent": len(audit.judged) - audit.counted,
        "caught": audit.counted - len(audit.survivors),
        "score": audit.score,
        "score_with_proposals": audit.score_with_proposals,
        "survivors": [
            {
                "scenario": one.scenario,
                "operator": one.mutant.operator,
                "path": one.mutant.path,
                "detail": one.mutant.detail,
                "proposal": one.proposal.text if one.proposal is not None else None,
            }
            for one in audit.survivors
        ],
        "proposals": [{"scenario": scenario, "expect": proposal.text} for scenario, proposal in audit.proposals],
    }

"""`cleanroom explain`: the documentation of one word of the language."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping

from cleanroom.errors import ExitCode, UsageError
from cleanroom.text import one_line

_DESCRIPTION = """\
Print the documentation of a key (ready, services.db.ready), a fault (network.latency), a comparator (approx), a problem
(unknown-key), a rule of lint or a rule of the judge (spans.count)."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "explain", help="print the documentation of a key, fault, comparator, problem or rule", description=_DESCRIPTION
    )
    parser.add_argument("name", metavar="NAME", help="a key or its path, a fault, a comparator, a problem, a rule")
    parser.set_defaults(call=_explain)


def _explain(arguments: argparse.Namespace) -> int:
    from cleanroom.spec.language.explain import closest, explain, render_explanations  # noqa: PLC0415 -- stays light
    from cleanroom.spec.shapes.suite import SUITE  # noqa: PLC0415

    rules = _rules()
    found = explain(arguments.name, SUITE, rules)
    if not found:
        close = closest(arguments.name, SUITE, rules)
        remedy = f"did you mean {close}?" if close else "docs/spec.md has every key, fault, comparator and problem"
        raise UsageError(f"nothing is called {one_line(arguments.name)!r}", remedy=remedy)
    sys.stdout.write(render_explanations(found))
    return int(ExitCode.PASS)


def _rules() -> Mapping[str, Mapping[str, str]]:
    from cleanroom.spec.lint.registry import documentation  # noqa: PLC0415
    from cleanroom.validate.rules import RULES  # noqa: PLC0415

    return {"a rule of lint": documentation(), "a rule of the judge": RULES}

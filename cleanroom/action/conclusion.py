"""From a report to the step's conclusion and exit code: what `fail-on` asks for, and never a pass that is none."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Literal, TypeAlias

from cleanroom.errors import ExitCode

Conclusion: TypeAlias = Literal["pass", "fail", "inconclusive", "error", "empty"]
_JUDGED = frozenset({ExitCode.PASS, ExitCode.FINDINGS, ExitCode.INCONCLUSIVE})
# Findings outrank what could not be judged (spec.md section 6).
_CODES = (
    ("failure", ExitCode.FINDINGS),
    ("nondeterminism", ExitCode.FINDINGS),
    ("inconclusive", ExitCode.INCONCLUSIVE),
)


def conclude(document: Mapping[str, Any] | None, code: int) -> Conclusion:
    """Return how a run ended; `code` is that of the run itself, which may know of trouble that no report could tell.

    Without a report a code of 0 means that nothing was asked for; any other code is an error.
    """
    if document is None:
        return "empty" if code == ExitCode.PASS else "error"
    if document["empty"]:
        return "empty"
    if code not in _JUDGED:
        return "error"
    word: Conclusion = document["verdict"]
    return word if word != "pass" or code == ExitCode.PASS else "error"


def classes(document: Mapping[str, Any]) -> frozenset[str]:
    """Return what is wrong with a judged run, in the words of `fail-on`; never nothing where its verdict is no pass."""
    found = set(document["reasons"])
    if document["verdict"] == "inconclusive":
        found.add("inconclusive")
    elif document["verdict"] == "fail" and not found & {"failure", "nondeterminism"}:
        found.add("failure")
    return frozenset(found)


def exit_code(
    document: Mapping[str, Any] | None, code: int, fail_on: Collection[str], *, fail_on_empty: bool = True
) -> int:
    """Return the step's exit code.

    `fail_on` decides about judgements only: a run that could not be judged (usage, an invalid spec, the engine, missing
    telemetry, an interruption) keeps its code whatever it says.
    """
    conclusion = conclude(document, code)
    if conclusion == "empty":
        return int(ExitCode.INCONCLUSIVE if fail_on_empty else ExitCode.PASS)
    if conclusion == "pass":
        return int(ExitCode.PASS)
    if conclusion == "error" or document is None:
        return code or int(ExitCode.ENGINE)
    found = classes(document)
    return int(next((number for name, number in _CODES if name in found and name in fail_on), ExitCode.PASS))

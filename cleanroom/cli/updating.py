"""`run --update`: the rules that a report proposes, written into the specs."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cleanroom.cli.files import inside, replace_file
from cleanroom.errors import SpecError, UsageError

_MASK = "***"


def update_specs(report: Path, root: Path) -> Iterator[str]:
    """Write every proposal of a report into its spec; yield a line for each file: what was done, or why not.

    Nothing is written for a spec that is a template, nor where a secret was masked in the proposal: such a rule would
    match nothing. Raises `UsageError` where a file cannot be written.
    """
    for suite in _suites(report):
        divergence = suite["divergence"]
        if divergence is None:
            continue
        name, rules = suite["file"], divergence["rules"]
        if rules is None:
            yield f"{name}: not updated, no rule is proposed: {divergence['obstacle'] or divergence['classification']}"
        elif name.endswith(".j2"):
            yield f"{name}: not updated, it is a template; write it by hand: normalize: {{{divergence['proposal']}}}"
        elif _MASK in divergence["proposal"]:
            yield f"{name}: not updated, the rule would hold a secret"
        else:
            yield _update(inside(name, root, base=root), name, rules)


def _suites(report: Path) -> list[dict[str, Any]]:
    try:
        return list(json.loads(report.read_bytes())["suites"])
    except (OSError, ValueError, KeyError, TypeError):
        return []  # a run that ended early has none, and has said why


def _update(path: Path, name: str, rules: dict[str, Any]) -> str:
    from cleanroom.spec.amend import amend_normalize  # noqa: PLC0415 - the parser itself stays light

    pairs = [(each["pattern"], each["with"]) for each in rules["replace"]]
    try:
        before = path.read_bytes()
        mark = codecs.BOM_UTF8 if before.startswith(codecs.BOM_UTF8) else b""
        text = before.removeprefix(mark).decode("utf-8")
        amended = amend_normalize(
            text,
            drop=rules["drop"],
            drop_spans=rules["drop_spans"],
            replace=pairs,
            siblings=rules["siblings"],
        )
        after = mark + amended.encode()
        if after == before:
            return f"{name}: has the proposed rules already"
        replace_file(path.resolve(), after)
    except SpecError as err:
        return f"{name}: not updated: {err}"
    except (OSError, UnicodeDecodeError) as err:
        raise UsageError(f"{name} cannot be updated: {err}") from err
    return f"{name}: updated: normalize: {_told(rules)}"


def _told(rules: dict[str, Any]) -> str:
    return json.dumps({key: value for key, value in rules.items() if value}, ensure_ascii=False)

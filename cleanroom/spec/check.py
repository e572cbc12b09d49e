"""Cross-references: what each part of a spec says about the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from cleanroom.spec.document import Table
    from cleanroom.spec.problem import ProblemLog
    from cleanroom.spec.suite import Suite


def check(suite: Suite, document: Table, log: ProblemLog, root: Path, directory: Path) -> Suite:
    """Report what does not fit together; returns the suite with paths relative to the workspace."""
    return suite

"""A spec file made from a `.clnrm.toml`."""

from __future__ import annotations

from cleanroom.spec.clnrm.load import ImportedClnrm
from cleanroom.spec.skeleton import Remarks, spec_text


def clnrm_spec(imported: ImportedClnrm, origin: str) -> str:
    """Return the text of a spec; `origin` is the name of the file that it was made from."""
    remarks = Remarks(
        origin=f"Made from {origin} by `cleanroom import clnrm`; every check in here is evaluated.",
        lists={
            "NOT taken over:": imported.not_taken,
            "Never evaluated there, whatever that file seemed to say:": imported.never_evaluated,
            "Means something else here:": imported.changed,
        },
    )
    return spec_text(imported.name, imported.parts, remarks)

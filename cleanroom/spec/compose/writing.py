"""A spec file made from a Compose file: what was taken, and as comments what was not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from cleanroom.spec.compose.load import Imported
from cleanroom.spec.compose.spot import Dropped, Weight
from cleanroom.spec.skeleton import Remarks, first_look, next_steps, spec_text
from cleanroom.spec.writing import plain_data

HEADINGS: Mapping[Weight, str] = MappingProxyType({
    "refused": "NOT taken over, and it may matter:",
    "decided": "Decided here, because the Compose file leaves it open:",
    "harmless": "Left out, because it changes nothing here:",
})  # fmt: skip


def compose_spec(imported: Imported, origin: str) -> str:
    """Return the text of a spec for the services of a Compose file; `origin` is that file's name."""
    services = plain_data(imported.services)
    variables = [f"{name}, from .env" for name in imported.variables]
    remarks = Remarks(
        origin=f"Made from {origin} by `cleanroom import compose`; a change there does not reach this file.",
        lists={
            **{heading: remarks_of(imported, weight) for weight, heading in HEADINGS.items()},
            "Variables whose values stand in this file now (secrets too):": variables,
        },
    )
    return spec_text(imported.name, first_look(services, imported.ports), remarks) + next_steps()


def remarks_of(imported: Imported, weight: Weight) -> list[str]:
    """Return what was dropped with one weight, a line for each."""
    return [remark(one) for one in imported.dropped if one.weight == weight]


def remark(one: Dropped) -> str:
    """Return something that was not taken as one line."""
    return f"{Path(one.at.file).name}:{one.at.line}: {one.name}: {one.reason}"

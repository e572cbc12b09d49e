from __future__ import annotations

from pathlib import Path

from cleanroom.faults.catalogue import render_catalogue
from cleanroom.faults.ladder import LADDERS
from cleanroom.spec.shapes.fault_table import FAULTS

PAGE = Path(__file__).parents[3] / "docs" / "faults.md"


def test_the_page_is_what_the_tables_say():
    assert PAGE.read_text(encoding="utf-8") == render_catalogue(), "write it anew: make docs"


def test_every_fault_stands_on_it_with_every_rung():
    page = render_catalogue()
    for kind in FAULTS:
        assert f"### {kind}\n" in page
    for ladder in LADDERS:
        section = page.split(f"### {ladder.kind}\n")[1].split("### ")[0]
        for rung in ladder.rungs:
            assert f"| `{rung.name}` | " in section

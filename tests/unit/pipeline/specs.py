"""Workspaces with small specs, for tests of what happens around a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cleanroom.pipeline.options import RunOptions

SPEC = """\
cleanroom: 1
meta: {{name: {name}, tags: [{tags}]}}
services:
  db: {{image: "postgres:17"}}
scenarios:
  - name: it answers
    tags: [fast]
    steps:
      - {{name: ask, exec: {{service: db, command: "echo {word}"}}}}
  - name: it survives
    tags: [slow]
    steps:
      - {{name: ask, exec: {{service: db, command: [pg_isready]}}}}
{more}
"""


def spec(root: Path, file: str, name: str = "shop", *, tags: str = "", more: str = "", word: str = "hi") -> Path:
    path = root / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(SPEC.format(name=name, tags=tags, more=more, word=word))
    return path


def options(root: Path, **kw: Any) -> RunOptions:
    defaults: dict[str, Any] = {"specs": (".",), "root": str(root), "out": str(root / "out")}
    return RunOptions(**{**defaults, **kw})

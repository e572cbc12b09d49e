"""The specs of the repository as plain data, templates unrendered: what an editor has before it."""

from __future__ import annotations

from pathlib import Path

from jsonschema import Draft202012Validator

from cleanroom.spec.document import UnreadableError, decode, plain, read_document
from cleanroom.spec.language.schema import json_schema
from cleanroom.spec.problem import ProblemLog
from cleanroom.spec.shapes.suite import SUITE

ROOT = Path(__file__).parents[4]
SPECS = ROOT / "tests" / "specs"
SCHEMA = json_schema(SUITE)
VALIDATOR = Draft202012Validator(SCHEMA)


def specs(*folders):
    """Every spec in the folders but whole-file templates, which are no YAML before they are rendered."""
    return sorted(
        path for folder in folders for suffix in ("yaml", "yml") for path in folder.rglob(f"*.cleanroom.{suffix}")
    )


def data_of(path):
    """The file as plain data, or None where it is no YAML mapping; what else is wrong with it is passed over."""
    log = ProblemLog(path.name)
    try:
        return plain(read_document(decode(path.read_bytes(), log), log))
    except UnreadableError:
        return None

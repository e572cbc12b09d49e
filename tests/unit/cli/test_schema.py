from __future__ import annotations

import argparse
import json

import pytest

from cleanroom.cli import schema
from cleanroom.errors import UsageError


def call(*words):
    parser = argparse.ArgumentParser()
    schema.add_parser(parser.add_subparsers())
    arguments = parser.parse_args(["schema", *words])
    return arguments.call(arguments)


def test_it_prints_the_schema(capsys):
    assert call() == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert "scenarios" in printed["$defs"]["suite"]["properties"]


def test_it_writes_the_schema_where_it_is_told_to(tmp_path, capsys):
    assert call() == 0
    printed = capsys.readouterr().out
    assert call("--out", str(tmp_path / "schema.json")) == 0
    assert (tmp_path / "schema.json").read_text(encoding="utf-8") == printed
    assert capsys.readouterr().out == ""


def test_a_place_that_cannot_be_written_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="cannot be written"):
        call("--out", str(tmp_path / "nowhere" / "schema.json"))

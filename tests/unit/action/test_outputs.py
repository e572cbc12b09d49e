from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.action.outputs import SUMMARY_LIMIT, append_summary, append_values
from cleanroom.errors import UsageError
from cleanroom.text import clean
from tests.unit.action.runner import read_file_command


@given(value=st.one_of(st.text(), st.sampled_from(["a\nconclusion=pass", "x\n<<EOF\ny", "=", "<<"])))
def test_the_runner_reads_the_value_back_and_nothing_else(tmp_path_factory, value):
    file = tmp_path_factory.mktemp("out") / "output"
    append_values(str(file), {"repro": value, "digest": "d"})
    assert read_file_command(file.read_bytes().decode()) == {"repro": clean(value), "digest": "d"}


def test_values_are_added_to_what_is_there(tmp_path):
    file = tmp_path / "output"
    file.write_text("first=1\n")
    append_values(str(file), {"second": "2"})
    assert read_file_command(file.read_text()) == {"first": "1", "second": "2"}


def test_without_a_file_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    append_values("", {"a": "b"})
    append_summary("", "page", "short")
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_none_is_a_defect(tmp_path):
    with pytest.raises(ValueError, match="no name of an output"):
        append_values(str(tmp_path / "o"), {"a<<b": "c"})


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(UsageError, match="cannot be written"):
        append_values(str(tmp_path / "gone" / "o"), {"a": "b"})


def test_a_summary_stays_inside_the_limit_of_the_step(tmp_path):
    file = tmp_path / "summary"
    file.write_text("é" * (SUMMARY_LIMIT // 2 - 20))
    append_summary(str(file), "é" * 50, "short")
    assert file.read_text().endswith("short\n")
    file.write_text("x" * SUMMARY_LIMIT)
    append_summary(str(file), "page", "short")
    assert file.stat().st_size == SUMMARY_LIMIT
    file.unlink()
    append_summary(str(file), "page", "short")
    assert file.read_text() == "page\n"

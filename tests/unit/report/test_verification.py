from __future__ import annotations

import hashlib
import json

import pytest

from cleanroom.report.verification import (
    Discrepancy,
    Verification,
    check_document,
    check_sums,
    verification_text,
)

FILES = {"report.json": b"{}\n", "traces/a.jsonl": b"x\n"}
SUMS = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in FILES.items())


def places(found):
    return [(d.file, d.where) for d in found]


def test_files_with_their_sums_differ_in_nothing():
    assert check_sums(SUMS, {**FILES, "SHA256SUMS": SUMS.encode()}) == ()


@pytest.mark.parametrize(
    ("listed", "files", "expected"),
    [
        (SUMS, {**FILES, "report.json": b"{ }\n"}, [("report.json", "sha256")]),
        (SUMS, {"report.json": b"{}\n"}, [("traces/a.jsonl", "sha256")]),
        (SUMS, {**FILES, "logs/x.log": b""}, [("logs/x.log", "sha256")]),
        (SUMS + "what is this\n", FILES, [("SHA256SUMS", "line 3")]),
        (SUMS + SUMS.splitlines()[0] + "\n", FILES, [("SHA256SUMS", "line 3")]),
        ("", FILES, [("report.json", "sha256"), ("traces/a.jsonl", "sha256")]),
        (SUMS + "0" * 64 + "  ../../etc/passwd\n", FILES, [("../../etc/passwd", "sha256")]),
    ],
)
def test_altered_missing_unlisted_and_broken_entries_are_told(listed, files, expected):
    assert places(check_sums(listed, files)) == expected


def test_json_is_compared_value_by_value():
    again = {"verdict": "fail", "suites": [{"digest": "sha256:a", "n": 1}], "new": 1}
    there = {"verdict": "pass", "suites": [{"digest": "sha256:b", "n": True}], "old": 2}
    found = check_document("report.json", json.dumps(there).encode(), json.dumps(again))
    assert [(d.where, d.says, d.should) for d in found] == [
        ("verdict", '"pass"', '"fail"'),
        ("suites[0].digest", '"sha256:b"', '"sha256:a"'),
        ("suites[0].n", "true", "1"),
        ("new", "(absent)", "1"),
        ("old", "2", "(absent)"),
    ]


@pytest.mark.parametrize(
    ("name", "there", "again", "where"),
    [
        ("report.json", b'{"a":1}', '{"a": 1}', "line 1"), ("junit.xml", b"a\nb\n", "a\nc\n", "line 2"),
        ("summary.md", b"a\n", "a\nb\n", "line 2"), ("report.json", b"{", "{}", ""), ("report.json", None, "{}", ""),
        ("digests.json", b"\xff", "{}", ""),
    ],
)  # fmt: skip
def test_other_bytes_are_told_even_where_values_are_the_same(name, there, again, where):
    assert [d.where for d in check_document(name, there, again)] == [where]


def test_asterisks_equal_others_only_where_secrets_were_masked():
    there, again = b'{"a": "token ***"}', '{"a": "token **********"}'
    assert check_document("report.json", there, again, masked=True) == ()
    assert len(check_document("report.json", there, again)) == 1
    assert len(check_document("report.json", b'{"a": "taken ***"}', again, masked=True)) == 1


def test_what_a_file_says_cannot_command_a_terminal():
    hostile = "\x1b]0;owned\x07\r::error::x\n\u202e"
    found = Verification(discrepancies=(Discrepancy(file=hostile, where=hostile, says=hostile, should=hostile),))
    text = verification_text(found)
    assert not set(text) & set("\x1b\x07\r\u202e")
    assert text.splitlines()[-1] == "differs: 1 difference"


def test_many_differences_are_counted_and_the_first_shown():
    found = Verification(discrepancies=tuple(Discrepancy(file=str(i), says="a", should="b") for i in range(60)))
    lines = verification_text(found).splitlines()
    assert lines[-2:] == ["and 10 more differences", "differs: 60 differences"]


def test_what_could_not_be_told_is_no_pass():
    assert "inconclusive" in verification_text(Verification(unknown=("x",)))
    assert verification_text(Verification(looked_at=("a", "b"))) == "verified: a, b\n"

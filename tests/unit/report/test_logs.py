from __future__ import annotations

from cleanroom.report.logs import log_files
from tests.unit.report import runs


def test_a_log_is_clean_and_says_when_it_was_cut():
    found = dict(log_files(runs.passing()))
    assert found["logs/checkout/iteration-1/happy/api.log"] == b"ready\n"
    assert found["logs/checkout/iteration-1/happy/db.log"].startswith(b"[the beginning of this log was cut]\n")
    hostile = dict(log_files(runs.hostile()))["logs/checkout/iteration-1/happy/api.log"].decode()
    assert "\x1b" not in hostile
    assert "\x00" not in hostile

from __future__ import annotations

from dataclasses import replace

import pytest

from cleanroom.engine.identity import this_process
from cleanroom.engine.sweep import abandoned

ME = this_process()
DEAD = replace(ME, start=ME.start + 1)
ELSEWHERE = replace(ME, namespace="pid:[1]")
EARLIER = replace(ME, boot="another boot")


@pytest.mark.parametrize(
    ("owner", "running", "home", "removed"),
    [
        (DEAD, True, None, True),
        (DEAD, False, None, True),
        (ME, True, None, False),
        (ME, False, None, False),
        (EARLIER, False, None, True),
        (EARLIER, True, None, False),
        (ELSEWHERE, True, None, False),
        (ELSEWHERE, False, None, False),
        (ELSEWHERE, True, False, True),
        (ELSEWHERE, False, True, False),
        (DEAD, True, True, False),
        (None, False, None, False),
    ],
)
def test_only_what_provably_has_no_owner_is_removed(owner, running: bool, home: bool | None, removed: bool):
    assert abandoned(owner, ME, running=running, home=home) is removed

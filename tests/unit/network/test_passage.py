from __future__ import annotations

from cleanroom.network.passage import rules_of

LISTING = """-P FORWARD DROP
-A FORWARD -i clr-ab12-0 -o clr-ab12-0 -j ACCEPT
-A FORWARD -i clr-cd34-0 -o clr-cd34-0 -j ACCEPT
-A FORWARD -j DOCKER-USER
-A FORWARD -m comment --comment "a clr-ab12 of somebody" -j ACCEPT
"""


def test_only_the_runs_own_rules_are_taken_out():
    assert rules_of("ab12", LISTING) == (("FORWARD", "-i", "clr-ab12-0", "-o", "clr-ab12-0", "-j", "ACCEPT"),)


def test_without_rules_there_is_nothing_to_take_out():
    assert rules_of("ab12", "") == ()

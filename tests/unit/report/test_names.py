from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from cleanroom.report.names import slug, unique


@given(st.text(st.characters(exclude_categories=()), max_size=90))
def test_a_slug_is_a_name_that_every_file_system_and_artifact_takes(text):
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,69}", slug(text))


@given(st.text(max_size=20), st.text(max_size=20))
def test_different_texts_have_different_slugs(one, two):
    assert (slug(one) == slug(two)) == (one == two)


def test_a_taken_name_gets_a_number_whatever_its_case():
    taken = set()
    assert [unique(name, taken) for name in ("A", "a", "A")] == ["A", "a-2", "A-3"]

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cleanroom.spec.document import decode, plain, read_document
from cleanroom.spec.problem import ProblemLog
from cleanroom.spec.yaml_text import yaml_text

TEXTS = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12),
    st.sampled_from(["010", "0o7", "1_0", "yes", "2020-01-01", "<<", "=", "~", "null", "", "a\n", "a\n\nb", "  x\ny"]),
    st.sampled_from(
        ["- a", "a: b", "#x", "1e3", ".5", "+1", "0x1f", "1:30", "a\n ", "\ta\nb", "---\nx", "x\n---\n..."]
    ),
)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**30), 10**30), st.floats(allow_nan=False, allow_infinity=False), TEXTS
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda child: st.one_of(st.lists(child, max_size=3), st.dictionaries(TEXTS, child, max_size=3)),
    max_leaves=6,
)


@given(st.dictionaries(TEXTS, VALUES, min_size=1, max_size=3))
def test_what_is_written_reads_back_as_the_same_value_of_the_same_type(value):
    log = ProblemLog("x.yaml")
    back = plain(read_document(decode(yaml_text(value).encode(), log), log))
    assert log.sorted() == ()
    assert repr(back) == repr(value)


def test_lines_of_text_stay_lines():
    assert (
        yaml_text({"a": {"b": [1, {"c": "x\ny\n"}]}, "d": []}) == "a:\n  b:\n  - 1\n  - c: |\n      x\n      y\nd: []\n"
    )

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom import text

# Lone surrogates too: container output that was decoded with surrogateescape has them.
ANYTHING = st.text(st.characters(exclude_categories=()), max_size=60)
NASTY = st.lists(
    st.one_of(
        ANYTHING,
        st.sampled_from(["::", "##[", "\r", "\n", "\x1b[31m", "`", "|", "<b>", "@a", "#1", "www.", "http://a"]),
    )
).map("".join)


@given(NASTY)
def test_cleaned_text_is_legal_xml_and_utf_8(value):
    element = ET.Element("a")
    element.text = text.clean(value)
    assert ET.fromstring(ET.tostring(element, encoding="utf-8")).text in {text.clean(value), None}  # noqa: S314 - our own output


@given(NASTY)
def test_cleaning_twice_changes_nothing(value):
    once = text.clean(value)
    assert text.clean(once) == once


def test_a_colour_vanishes_whole():
    assert text.clean("\x1b[1;31mred\x1b[0m \x1b]0;title\x07plain") == "red plain"


@given(NASTY)
def test_no_relayed_line_is_a_workflow_command(value):
    for line in text.relay(value).replace("\r", "\n").split("\n"):
        assert not line.lstrip().startswith("::")
        assert "##[" not in line


@pytest.mark.parametrize(
    "hostile", ["::error::x", "  ::error::x", "a ##[error]x", "a\r::error::x", "\x1b[0m::error::x", "#\x1b[0m#[error]"]
)
def test_known_ways_to_smuggle_a_command_are_closed(hostile):
    relayed = text.relay(hostile)
    assert "##[" not in relayed
    assert not any(line.lstrip().startswith("::") for line in relayed.splitlines())


@given(NASTY)
def test_markdown_keeps_no_live_character(value):
    escaped = text.markdown(value)
    assert "\n" not in escaped
    bare = escaped.replace("\\\\", "")
    for character in "<>`|*[]":
        assert all(bare[i - 1] == "\\" for i, c in enumerate(bare) if c == character)


def test_markdown_makes_no_mention_link_or_reference():
    escaped = text.markdown("@octocat #12 www.evil.example WWW.evil.example https://evil.example <img>")
    assert "@octocat" not in escaped
    assert "#12" not in escaped
    assert "www.evil" not in escaped.lower()
    assert "https://" not in escaped
    assert "<img" not in escaped


@given(NASTY)
def test_a_code_span_has_a_fence_that_nothing_inside_closes(value):
    span = text.code_span(value)
    fence = span[: len(span) - len(span.lstrip("`"))]
    inside = span[len(fence) : -len(fence)]
    assert fence
    assert "|" not in span
    assert all(len(run) != len(fence) for run in _runs(inside))


@given(NASTY)
def test_a_code_block_is_closed_by_its_own_fence_only(value):
    lines = text.code_block(value).rstrip("\n").split("\n")
    fence = lines[0]
    assert [i for i, line in enumerate(lines) if line.strip() == fence] == [0, len(lines) - 1]


@given(ANYTHING)
def test_command_text_is_one_line_and_comes_back(value):
    data = text.command_data(value)
    assert "\n" not in data
    assert "\r" not in data
    assert data.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%") == value


@given(ANYTHING)
def test_a_command_property_cannot_end_the_properties(value):
    escaped = text.command_property(value)
    assert not {":", ",", "\n", "\r"} & set(escaped)


@given(st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=4), ANYTHING)
def test_no_secret_survives_masking(secrets, around):
    masked = text.mask(around + secrets[0] + around, secrets)
    longest = max(secrets, key=len)
    assert longest in {"*", "**", "***"} or longest not in masked or longest in "***" or set(longest) <= {"*"}


def test_long_lines_of_a_secret_are_secrets_too():
    key = "-----BEGIN-----\nMIIEvQIBADAN\n}\n"
    masked = text.mask("got MIIEvQIBADAN and }", [key])
    assert masked == "got *** and }"


@given(ANYTHING, st.integers(1, 30))
def test_truncation_keeps_the_limit_and_says_that_it_cut(value, limit):
    cut = text.truncate(value, limit)
    assert len(cut) <= limit
    assert cut == value or cut.endswith("…")


@given(st.binary(max_size=80), st.integers(1, 40))
def test_a_tail_is_safe_and_not_longer_than_asked(data, limit):
    found = text.tail(data, limit)
    assert text.clean(found) == found
    assert len(found) <= limit


def _runs(value):
    return [run for run in value.replace("`", "\0`\0").replace("\0\0", "").split("\0") if run.startswith("`")]

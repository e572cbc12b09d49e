"""Random documents, written in many ways and with comments everywhere."""

from __future__ import annotations

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cleanroom.spec.document import UnreadableError, plain, read_document
from cleanroom.spec.format.rewrite import format_spec
from cleanroom.spec.format.tree import read_source
from cleanroom.spec.problem import ProblemLog

SIMPLE = (
    "a yes 1 010 1.5 null ~ true -c #no [x é ' \" it's \\d+ a\\ 2025-01-01 1:30 k: : - ? *a &a !x % @ ` > | << = ---"
)
SPACED = "b c;x: y;a #b;- x;... x;GET /x*;{{ vars.a }};; ; lead;trail ;tab\there;two\nlines;end\n;\n;redis:7;a,b;a]b"
STRANGE = ["word " * 14, "long" * 35, "\u00a0", "\u2028", "\U0001f600", "\ufeff", "\x07"]
WORDS = st.sampled_from([*SIMPLE.split(), *SPACED.split(";"), *STRANGE])
COMMENTS = st.sampled_from(["# one", "#two", "#", "# - a: 1", "# 'x", "#   spaced  ", "# {{ x }}", "#! é"])


def _double(text):
    return '"' + "".join(c if c.isprintable() and c not in '"\\' else f"\\U{ord(c):08x}" for c in text) + '"'


@st.composite
def scalars(draw):
    """Return the text of a scalar on one line."""
    text = draw(WORDS)
    style = draw(st.sampled_from(["plain", "single", "double"]))
    if style == "plain" and text.replace(" ", "").isalnum() and text == text.strip():
        return text
    if style == "single" and text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    return _double(text)


@st.composite
def flows(draw, depth=2):
    """Return flow text, sometimes over several lines and with comments."""
    kind = draw(st.sampled_from(["list", "map", "scalar"] if depth else ["scalar"]))
    if kind == "scalar":
        return draw(scalars())
    gap = st.sampled_from(["", " ", "  ", "\n        ", " # in\n        ", "\n\n        # own\n        "])
    count = draw(st.integers(0, 4))
    parts = []
    for number in range(count):
        value = draw(flows(depth - 1))
        form = f"k{number}: {value}" if kind == "map" else value
        parts.append(f"{draw(gap)}{form}{draw(gap)}")
    opened, closed = ("{", "}") if kind == "map" else ("[", "]")
    return f"{opened}{','.join(parts)}{draw(gap) if not parts else ''}{closed}"


class Writer:
    """Writes block collections with noise between the lines."""

    def __init__(self, draw):
        self.draw = draw
        self.lines = []
        self.anchors = []

    def one_of(self, *choices):
        return self.draw(st.sampled_from(choices))

    def noise(self, indent):
        for _ in range(self.one_of(0, 0, 0, 1, 2)):
            where = max(0, self.one_of(indent, indent, 0, indent + 2, 1, indent - 1))
            self.lines.append(self.one_of("", "   ", " " * where + self.draw(COMMENTS)))

    def behind(self):
        return self.one_of("", "", "  ", " " + self.draw(COMMENTS), "      " + self.draw(COMMENTS))

    def anchor(self):
        if self.draw(st.integers(0, 9)):
            return ""
        name = f"n{len(self.anchors)}"
        self.anchors.append(name)
        return f" &{name}"

    def value(self, head, indent, depth):
        """Write a value behind `head`, which is on its line and belongs to a collection at `indent`."""
        kinds = ("scalar", "scalar", "flow", "block", "alias", "multi", "next", "empty", "map", "list", "map", "list")
        kind = self.one_of(*kinds)
        if kind in ("map", "list") and depth:
            self.collection(kind, head, indent, depth - 1)
        elif kind == "flow":
            flow = self.draw(flows()).replace("\n        ", "\n" + " " * (indent + 3))
            self.lines.append(f"{head}{self.anchor()} {flow}{self.behind()}")
        elif kind == "block":
            self.block(head, indent)
        elif kind == "alias" and self.anchors:
            self.lines.append(f"{head} *{self.one_of(*self.anchors)}{self.behind()}")
        elif kind == "empty":
            self.lines.append(head + self.behind())
        elif kind == "multi":
            quote = self.one_of("", "'", '"')
            gap = self.one_of("\n", "\n\n", " \n", *(("\\ \n", "\\\n") if quote == '"' else ()))
            text = f"first{gap}{' ' * (indent + 1)}second \n{' ' * (indent + 4)}third"
            self.lines.append(f"{head} {quote}{text}{quote}{self.behind()}")
        elif kind == "next":
            self.lines.append(head + self.behind())
            self.noise(indent + 2)
            self.lines.append(" " * (indent + 2) + self.draw(scalars()) + self.behind())
        else:
            self.lines.append(f"{head}{self.anchor()} {self.draw(scalars())}{self.behind()}")

    def collection(self, kind, head, indent, depth):
        write = self.mapping if kind == "map" else self.sequence
        anchor = self.anchor()
        if head.endswith("-") and not anchor and self.one_of("", "same line"):
            write(len(head) + 1, depth, first=head + " ")
            return
        self.lines.append(head + anchor + self.behind())
        least = 0 if kind == "list" and head.endswith(":") else 1
        write(indent + max(least, self.one_of(0, 1, 2, 2, 4)), depth)

    def block(self, head, indent):
        mark = self.one_of("|", ">", "|-", "|+", ">-", ">+", "|2", "|2-")
        self.lines.append(f"{head}{self.anchor()} {mark}{self.behind()}")
        for _ in range(self.one_of(0, 1, 2, 3, 4)):
            line = self.one_of("text", "  more", "", "# no comment", "trail  ", "- x", "a: b", "   ")
            self.lines.append(" " * (indent + 2) + line if line else "")

    def mapping(self, indent, depth, first=None):
        for number in range(self.draw(st.integers(1, 3))):
            if number or first is None:
                self.noise(indent)
            prefix = first if first is not None and number == 0 else " " * indent
            key = self.draw(st.sampled_from([f"k{number}", f'"k {number}"', f"'k: {number}'", f"k{number} "]))
            self.value(f"{prefix}{key}:", indent, depth)

    def sequence(self, indent, depth, first=None):
        for number in range(self.draw(st.integers(1, 3))):
            if number or first is None:
                self.noise(indent)
            prefix = first if first is not None and number == 0 else " " * indent
            self.value(f"{prefix}-", indent, depth)


@st.composite
def documents(draw):
    writer = Writer(draw)
    writer.noise(0)
    if draw(st.integers(0, 5)) == 0:
        writer.lines.append("---" + writer.behind())
    writer.mapping(draw(st.sampled_from([0, 0, 0, 2])), 4)
    writer.noise(0)
    text = "\n".join(writer.lines) + draw(st.sampled_from(["\n", "", "\n\n\n"]))
    return text.replace("\n", "\r\n") if draw(st.integers(0, 9)) == 0 else text


def _read(text):
    log = ProblemLog("random")
    try:
        data = plain(read_document(text, log))
    except UnreadableError:
        return None
    return None if log.found else data


@settings(max_examples=200, deadline=None)
@given(documents())
def test_formatting_keeps_data_and_comments_and_is_idempotent(text):
    data = _read(text)
    assume(data is not None)
    log = ProblemLog("random")
    once = format_spec(text.encode(), log)
    assert repr(_read(once)) == repr(data)
    normal = text.replace("\r\n", "\n")
    assert [c.text for c in read_source(once).comments] == [c.text for c in read_source(normal).comments]
    assert format_spec(once.encode(), log) == once
    assert "\n\n\n" not in once or "|" in text or ">" in text  # blank lines of a block scalar are its own
    assert not once.startswith("\n")
    assert once.endswith("\n")


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.sampled_from("ab:-#\n {}[],&*'\"|>!?\t01"), max_size=40))
def test_any_text_is_formatted_or_refused_and_never_changed_in_meaning(tail):
    text = "k: 1\n" + tail
    log = ProblemLog("random")
    try:
        once = format_spec(text.encode(), log)
    except UnreadableError:
        assert log.found
        return
    assert repr(_read(once)) == repr(_read(text))
    assert format_spec(once.encode(), log) == once

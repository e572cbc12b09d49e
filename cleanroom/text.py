"""Text that is safe where it goes: terminals, logs, XML, Markdown, workflow commands.

Rules: reference of workflow commands (escaping of `%`, CR, LF, `:`, `,`), XML 1.0 (legal characters), GitHub Flavored
Markdown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

# CSI, OSC and two-byte escape sequences: an ANSI colour must vanish whole, not leave `[31m` behind.
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
# C0 and C1 controls but for tab and newline, bidirectional overrides, and what XML 1.0 forbids.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|~!&$@:])")
_WWW = re.compile(r"(www)\.", re.IGNORECASE)
_MASK = "***"
# A shorter line of a longer secret (a brace, an END) is no secret by itself, and masking it shreds everything else.
_MASKED_LINE = 8


def clean(text: str) -> str:
    """Return `text` without escape sequences, with CR as LF and every other control or illegal character as U+FFFD."""
    plain = _ANSI.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
    return _UNSAFE.sub("\ufffd", plain)


def one_line(text: str, limit: int = 200) -> str:
    """Return the cleaned text on one line, cut to `limit` characters."""
    return truncate(" ".join(clean(text).split()), limit)


def truncate(text: str, limit: int) -> str:
    """Return at most `limit` characters of `text`, the last one an ellipsis when something was cut."""
    return text if len(text) <= limit else text[: max(0, limit - 1)] + "…"


def tail(data: bytes, limit: int) -> str:
    """Return the cleaned end of `data`, at most `limit` bytes of it, from the start of a line where there is one."""
    cut = data[-limit:]
    if len(data) > limit and b"\n" in cut:
        cut = cut.split(b"\n", 1)[1]
    return clean(cut.decode("utf-8", "replace"))


def relay(text: str) -> str:
    """Return a service's output as it may be printed where workflow commands are parsed.

    Both command syntaxes are broken with a zero-width space: `::` at the start of a line, `##[` anywhere. A lone CR
    ends a line for the runner, so what follows one is a line of its own here too.
    """
    return "\n".join(_relay_line(line) for line in clean(text).split("\n"))


def _relay_line(line: str) -> str:
    safe = line.replace("##[", "##\u200b[")
    return safe.replace("::", ":\u200b:", 1) if safe.lstrip().startswith("::") else safe


def markdown(text: str) -> str:
    """Return `text` as literal Markdown on one line: no markup, mention, autolink or table cell can come of it."""
    escaped = _MARKDOWN.sub(r"\\\1", " ".join(clean(text).split()))
    broken = escaped.replace("\\@", "@\u200b").replace("\\#", "#\u200b").replace("\\<", "&lt;")
    return _WWW.sub("\\g<1>\u200b.", broken)


def code_span(text: str) -> str:
    """Return `text` as a Markdown code span that also holds inside a table cell."""
    flat = " ".join(clean(text).split()).replace("|", "\u2502")
    longest = max((len(run) for run in re.findall("`+", flat)), default=0)
    fence = "`" * (longest + 1)
    padded = f" {flat} " if flat.startswith("`") or flat.endswith("`") or not flat else flat
    return f"{fence}{padded}{fence}"


def code_block(text: str, language: str = "") -> str:
    """Return `text` as a fenced Markdown block that nothing inside can close; ends with a newline."""
    body = clean(text)
    longest = max((len(run) for run in re.findall("`+", body)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{body.rstrip(chr(10))}\n{fence}\n"


def command_data(text: str) -> str:
    """Return `text` escaped as the data of a workflow command."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def command_property(text: str) -> str:
    """Return `text` escaped as a property of a workflow command."""
    return command_data(text).replace(":", "%3A").replace(",", "%2C")


def mask(text: str, secrets: Iterable[str]) -> str:
    """Return `text` with every secret and every long line of a secret replaced by `***`, the longest first."""
    lines = {line for secret in secrets for line in secret.splitlines() if len(line.strip()) >= _MASKED_LINE}
    for secret in sorted({s for s in secrets if s} | lines, key=len, reverse=True):
        text = text.replace(secret, _MASK)
    return text

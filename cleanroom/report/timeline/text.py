"""A time line as characters: a row for success, one for latency, one for each fault; safe to print."""

from __future__ import annotations

from cleanroom.report.timeline.model import Band, Timeline, hidden_words, title
from cleanroom.text import one_line, relay

COLUMNS = 60
_LABEL = 12
_BARS = "▁▂▃▄▅▆▇█"
_IDLE, _NONE = " ", "✗"
_STOOD = "▒"


def text(timeline: Timeline) -> str:
    """Return the drawing, a line of text for each row; an empty column had no operation, `✗` no success."""
    top = timeline.slowest
    success = "".join(
        _IDLE if not c.operations else _NONE if not c.succeeded else _bar(c.succeeded, c.operations)
        for c in timeline.columns
    )
    latency = "".join(_bar(c.latency, top) if c.operations else _IDLE for c in timeline.columns)
    lines = [
        one_line(title(timeline), 200),
        _row("success", success, "full: all"),
        _row("latency", latency, f"full: {top / 10**6:.3g} ms, p99"),
        *(_row(band.fault, _stood(band, len(timeline.columns)), "") for band in timeline.bands),
        f"  {'':{_LABEL}} 0 s{timeline.length / 10**9:>{len(timeline.columns) - 3}.3g} s",
    ]
    lines += [f"  {hidden_words(timeline)}"] if timeline.hidden else []
    return relay("\n".join(lines) + "\n")


def _row(label: str, drawn: str, legend: str) -> str:
    return f"  {one_line(label, _LABEL):{_LABEL}} |{drawn}| {legend}".rstrip()


def _bar(part: int, whole: int) -> str:
    if whole <= 0:
        return _BARS[0]
    # Only what is complete fills the column: one failure of a thousand must not look like none.
    return _BARS[-1] if part >= whole else _BARS[min(len(_BARS) - 2, part * (len(_BARS) - 1) // whole)]


def _stood(band: Band, columns: int) -> str:
    drawn = [" "] * columns
    for begin, end in band.stretches:
        first = min(columns - 1, int(begin * columns))
        for place in range(first, min(columns, max(first + 1, -(-int(end * columns * 1000) // 1000)))):
            drawn[place] = _STOOD
    return "".join(drawn)

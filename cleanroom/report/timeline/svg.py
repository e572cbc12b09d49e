"""A time line as SVG: success above, latency below, faults as bands behind both; without script or reference."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from cleanroom.report.timeline.model import Band, Timeline, hidden_words, title
from cleanroom.text import one_line, relay

COLUMNS = 240
_LEFT, _RIGHT, _TOP, _WIDE, _HIGH, _GAP, _ROW = 90, 20, 36, 720, 90, 24, 18
_STYLE = (
    "text{font:12px ui-monospace,monospace;fill:#1f2328}.d{fill:#656d76}.b{fill:#fff}.o{fill:#2da44e}.f{fill:#cf222e}"
    ".l{fill:#0969da}.w{fill:#bf8700;opacity:.18}.m{fill:#bf8700}path{fill:none;stroke:#8c959f}"
)


def svg(timeline: Timeline) -> str:
    """Return the drawing as one SVG document."""
    rows = len(timeline.bands) + bool(timeline.hidden)
    width, below = _LEFT + _WIDE + _RIGHT, _TOP + 2 * _HIGH + _GAP
    height = below + 26 + rows * _ROW + 10
    size = f'width="{width}" height="{height}"'
    heading = escape(one_line(title(timeline), 110))
    lines = (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {width} {height}" role="img">',
        f"<title>{heading}</title><style>{_STYLE}</style>",
        f'<rect class="b" {size}/>',
        f'<text x="10" y="20">{heading}</text>',
        *(line for band in timeline.bands for line in _behind(band, below)),
        *_success(timeline),
        *_latency(timeline),
        *_axes(timeline, below),
        *_legend(timeline, below + 26),
        "</svg>",
    )
    return relay("\n".join(lines) + "\n")


def _behind(band: Band, below: int) -> Iterator[str]:
    for begin, end in band.stretches:
        wide = max(1.0, (end - begin) * _WIDE)
        x = _LEFT + begin * _WIDE
        yield f'<rect class="w" x="{x:.1f}" y="{_TOP}" width="{wide:.1f}" height="{below - _TOP}"/>'


def _success(timeline: Timeline) -> Iterator[str]:
    wide = _WIDE / len(timeline.columns)
    for place, column in enumerate(timeline.columns):
        if not column.operations:
            continue
        good = _HIGH * column.succeeded / column.operations
        x = _LEFT + place * wide
        if good < _HIGH:
            yield f'<rect class="f" x="{x:.1f}" y="{_TOP}" width="{wide:.1f}" height="{_HIGH - good:.1f}"/>'
        if good:
            y = _TOP + _HIGH - good
            yield f'<rect class="o" x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{good:.1f}"/>'


def _latency(timeline: Timeline) -> Iterator[str]:
    wide, top = _WIDE / len(timeline.columns), max(1, timeline.slowest)
    bottom = _TOP + 2 * _HIGH + _GAP
    for place, column in enumerate(timeline.columns):
        if column.operations:
            high = max(1.0, _HIGH * column.latency / top)
            x = _LEFT + place * wide
            yield f'<rect class="l" x="{x:.1f}" y="{bottom - high:.1f}" width="{wide:.1f}" height="{high:.1f}"/>'


def _axes(timeline: Timeline, below: int) -> Iterator[str]:
    for top in (_TOP, _TOP + _HIGH + _GAP):
        yield f'<path d="M{_LEFT},{top} V{top + _HIGH} H{_LEFT + _WIDE}"/>'
    yield f'<text class="d" x="10" y="{_TOP + 12}">success</text>'
    yield f'<text class="d" x="10" y="{_TOP + _HIGH + _GAP + 12}">latency</text>'
    yield f'<text class="d" x="10" y="{_TOP + _HIGH + _GAP + 28}">{timeline.slowest / 10**6:.3g} ms</text>'
    yield f'<text class="d" x="{_LEFT}" y="{below + 16}">0 s</text>'
    end = f"{timeline.length / 10**9:.3g} s"
    yield f'<text class="d" text-anchor="end" x="{_LEFT + _WIDE}" y="{below + 16}">{end}</text>'


def _legend(timeline: Timeline, top: int) -> Iterator[str]:
    """Yield a line for each fault: its id, and where it stood."""
    for row, band in enumerate(timeline.bands):
        y = top + row * _ROW
        yield f'<text class="d" x="10" y="{y + 12}">{escape(one_line(band.fault, 10))}</text>'
        for begin, end in band.stretches:
            wide = max(1.0, (end - begin) * _WIDE)
            yield f'<rect class="m" x="{_LEFT + begin * _WIDE:.1f}" y="{y + 4}" width="{wide:.1f}" height="8"/>'
    if timeline.hidden:
        y = top + len(timeline.bands) * _ROW
        yield f'<text class="d" x="10" y="{y + 12}">{hidden_words(timeline)}</text>'

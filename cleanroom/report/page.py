"""A page of Markdown that never grows past its budget of bytes."""

from __future__ import annotations

from collections.abc import Sequence

from cleanroom.text import relay


class Page:
    """Blocks of Markdown, in order; what does not fit any more is counted and said, never cut in the middle."""

    _NOTE = 400
    """Bytes that are kept back for saying that something was left out."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used = 0
        self._blocks: list[str] = []
        self._full = False

    def add(self, block: str) -> bool:
        """Add a block; False, and nothing from then on, when it does not fit."""
        block = relay(block)  # local runners print the page to the log, where commands are parsed
        size = len(block.encode("utf-8", "replace")) + 1
        if self._full or self._used + size > self._limit - self._NOTE:
            self._full = True
            return False
        self._blocks.append(block)
        self._used += size
        return True

    def heading(self, text: str) -> bool:
        """Add a heading of the second level."""
        return self.add(f"\n### {text}\n")

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]], most: int = 200) -> None:
        """Add a table of cells that are Markdown already; rows past `most` or past the budget are counted."""
        if not self.add(f"| {' | '.join(head)} |\n|{' --- |' * len(head)}"):
            return
        for number, row in enumerate(rows):
            if number >= most or not self.add(f"| {' | '.join(row)} |"):
                self.left_out(len(rows) - number, "rows")
                return

    def left_out(self, count: int, what: str) -> None:
        """Say that `count` more of `what` are in report.json only, while the page is not full."""
        self.add(f"\n{count} more {what}: see `report.json`.")

    def text(self) -> str:
        """Return the page, at most `limit` bytes."""
        end = "\nThe rest did not fit here: see `report.json` and `junit.xml`.\n" if self._full else ""
        return "\n".join(self._blocks) + "\n" + end

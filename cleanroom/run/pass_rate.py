"""The share of scenarios that a call wants to pass: `--min-pass-rate 85`, or of one tag `smoke=100`."""

from __future__ import annotations

import re
from dataclasses import dataclass

_PERCENT = re.compile(r"([0-9]{1,3})(?:\.([0-9]{1,2}))?%?")
WHOLE = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PassRate:
    """A wanted share, exact: `least` is in hundredths of a percent; without a tag it is of all scenarios."""

    least: int
    tag: str = ""

    @property
    def percent(self) -> str:
        """The wanted share as people write it."""
        return f"{self.least / 100:g} %"


def read_pass_rate(text: str) -> PassRate:
    """Return the rate that `85`, `99.5 %`, or `tag=85` says; raises `ValueError`. 0 could never be missed."""
    tag, equals, number = text.strip().rpartition("=")
    found = _PERCENT.fullmatch(number.replace(" ", ""))
    least = int(found[1]) * 100 + int((found[2] or "").ljust(2, "0")) if found is not None else 0
    if not 0 < least <= WHOLE or (equals and not tag.strip()):
        raise ValueError(f"{text[:60]!r}: expected a percentage above 0 and at most 100, or tag=percentage")
    return PassRate(least=least, tag=tag.strip())


def read_pass_rates(texts: tuple[str, ...]) -> tuple[PassRate, ...]:
    """Return the rates in `texts`; raises `ValueError` for one that cannot be read, or a second one of a tag."""
    found = tuple(read_pass_rate(text) for text in texts)
    for rate in found:
        if sum(1 for other in found if other.tag == rate.tag) > 1:
            raise ValueError(f"{f'tag {rate.tag}' if rate.tag else 'all scenarios'}: given twice, keep one")
    return found

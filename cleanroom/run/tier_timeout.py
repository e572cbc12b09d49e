"""How long a scenario of a tier may take: `smoke=60s`."""

from __future__ import annotations

from cleanroom.quantity import Duration, parse_duration
from cleanroom.spec.suite import TIERS


def read_tier_timeouts(texts: tuple[str, ...]) -> dict[str, Duration]:
    """Return tier → limit of entries `tier=time`; raises `ValueError` for one that cannot be read or is given twice."""
    found: dict[str, Duration] = {}
    for text in texts:
        tier, _, limit = (part.strip() for part in text.partition("="))
        if tier not in TIERS:
            raise ValueError(f"{text[:60]!r}: expected one of {', '.join(TIERS)}, then = and a time")
        if tier in found:
            raise ValueError(f"{tier}: given twice, keep one")
        found[tier] = parse_duration(limit)
        if not found[tier].ns:
            raise ValueError(f"{text[:60]!r}: expected a time above 0")
    return found

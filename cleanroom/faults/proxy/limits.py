"""How much our own connections move and wait to prove a fault, however much it does to those of services."""

from __future__ import annotations

LONGEST_NS = 250 * 10**6
MOST_BYTES = 1 << 16
MOST_PIECE = 1000
"""Less than what fits into one packet: a larger piece is several of them anyway."""

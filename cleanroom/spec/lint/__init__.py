"""Weaknesses and style of valid specs: what would be green too easily, or says less than it seems to."""

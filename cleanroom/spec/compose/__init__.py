"""Compose files as services of a spec: what can be taken, and by name what cannot (spec.md section 2, `compose:`)."""

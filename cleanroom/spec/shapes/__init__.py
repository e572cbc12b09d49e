"""What each key of spec.md takes: declarative shapes that turn nodes into frozen values."""

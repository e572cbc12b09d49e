"""Cross-references: what the parts of a spec say about each other, and about the files they name."""

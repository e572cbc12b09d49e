"""One module per action of a step."""

"""One module per output; pure text from a verdict."""

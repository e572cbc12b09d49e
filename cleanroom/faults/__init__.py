"""One module per family of faults, each with a ladder of mechanisms and its evidence."""

"""Pure: a record of an iteration and an expectation to findings."""

"""One iteration and one session; all I/O goes through ports."""

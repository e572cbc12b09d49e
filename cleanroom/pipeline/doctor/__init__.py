"""What a machine can do, found out by doing it, and, where it is asked for, proven fault by fault."""

"""Faults in a database server, by its own means."""

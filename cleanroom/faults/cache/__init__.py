"""Faults in a cache server, by its own means."""

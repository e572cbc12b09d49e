"""Faults in a message broker, by its own means."""

"""Faults in what a container takes for the time."""

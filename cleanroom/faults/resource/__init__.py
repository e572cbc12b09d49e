"""Faults in what a container may use of the machine."""

"""Faults in the files of a container."""

"""Faults on the links of a container."""

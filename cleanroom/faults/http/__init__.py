"""Faults in HTTP exchanges."""

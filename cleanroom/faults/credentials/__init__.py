"""Faults in what services authenticate with."""

"""Faults in the answers of the resolver."""

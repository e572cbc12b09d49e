"""Faults that a spec's own commands inject, verify and revert."""

"""Faults on whole containers."""

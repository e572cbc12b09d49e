"""Faults made of other faults."""

"""Faults on processes inside a container."""

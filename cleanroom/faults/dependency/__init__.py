"""Faults that make a service unavailable or unhealthy to others."""

"""Clients of the system under test: one module per kind of action, a result for each, and nothing raised."""

"""Adapters to OpenTelemetry: receiver, collector process, the runner's own spans."""

"""cleanroom-action: proves that a system of containers behaves, recovers and repeats."""

__version__ = "0.1.0"

"""Faults that take a container's processor time, memory, disk, descriptors and processes away."""

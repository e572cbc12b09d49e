"""Network emulation on one container: what to do to which packets, and the mechanisms that do it."""

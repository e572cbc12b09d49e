"""How a system went through its faults, in figures: pure functions over its operations and the windows of faults."""

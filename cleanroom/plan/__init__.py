"""Pure: spec and seed to a Plan; the only place that draws random numbers."""

"""Pure: OTLP bytes to a Trace, its normalised form, its digest and the first divergence."""

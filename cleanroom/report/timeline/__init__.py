"""Success and latency of a workload over time, with the faults that stood meanwhile: as a picture and as characters."""

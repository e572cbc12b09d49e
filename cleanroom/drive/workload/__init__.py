"""Workloads: many operations by many workers, in processes of their own, each operation written into a journal."""

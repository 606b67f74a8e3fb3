"""Measurements against the lecture's notebook, in one table: ``python -m benchmarks``."""

"""Contenders and measurements of `scripts/benchmark.py`."""

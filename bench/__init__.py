"""Benchmarks: ratios to a baseline, measured in one run on one machine."""

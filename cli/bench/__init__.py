"""Benchmarks: figures are ratios within one run, on a machine that the table names."""

"""Benchmarks: their descriptions (`dataset.toml`), their HDF5 files and a cache of both.

No model comes in.
"""

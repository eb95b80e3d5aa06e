"""Handwritten digits: a benchmark of real data that is small enough to try things on."""

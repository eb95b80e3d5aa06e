"""Results in the formats of other people's platforms: one module for each format.

A format is a pure function from a course to named texts; running anything is for `packages`.
"""

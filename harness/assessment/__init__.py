"""From evidence and a rubric to checks, diagnoses, verdicts and points.

Pure functions: no file of a submission, no weights and no network come in.
"""

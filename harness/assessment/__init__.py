"""From evidence and a rubric to checks, diagnoses, points and ranks.

Pure functions: no file of a submission, no weights and no network come in.
"""

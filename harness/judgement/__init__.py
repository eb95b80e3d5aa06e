"""From evidence to grade: lineage, checks, diagnoses, claims, statistics, points.

Pure functions of a record's evidence, the BadNet's ranking and a rubric; no model is run here.
"""

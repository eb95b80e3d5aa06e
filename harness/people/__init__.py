"""Whose submission is whose: rosters, attempts and pseudonyms.

No grade is decided here.
"""

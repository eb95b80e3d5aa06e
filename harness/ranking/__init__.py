"""From records to a board: ranks, quality, what tests tell apart, and the whole class.

Pure functions, as in :mod:`harness.assessment`; nothing here is stored with a record.
"""

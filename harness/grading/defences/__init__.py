"""The benchmark of defences: each repairs every BadNet of a zoo, and what it leaves is graded.

A cell is one defence on one BadNet. It is graded as a submission is, and has a record of its own.
"""

"""The reference's commands, one file for each: arguments and progress, nothing of the work itself.

Nothing heavy is imported before a command runs, so that its help appears at once.
"""

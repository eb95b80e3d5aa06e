"""The reference's commands, one file for each: arguments and progress, nothing of the work itself.

Nothing heavy is imported before a command runs: each worker that draws images imports
``reference.__main__``, and with it every file of this room.
"""

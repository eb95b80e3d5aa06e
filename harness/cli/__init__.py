"""The command line: a file for each command, with its arguments, output and exit code.

No decision about grades is made here; a command calls the room that does the work.
"""

"""What repaired nets share with the BadNet: computed once, kept on disk, and used for the rest.

No labels come in.
"""

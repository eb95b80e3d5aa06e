"""What a net is: its mask, the order it was pruned in, the rules it keeps, the curve it lies on.

It says what was done to the BadNet, not what that is worth.
"""

"""Boards, pages and stories of a competition: a column for each of its BadNets.

As pure as the other renderers: texts of records are put on one line and escaped.
"""

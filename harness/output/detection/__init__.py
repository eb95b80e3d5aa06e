"""The benchmark of detectors in every format: which networks are BadNets, and who can tell.

Pure functions of a board; nothing is run or graded here.
"""

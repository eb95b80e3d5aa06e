"""The board of the benchmark of defences in every format, and its pages.

Boards are made of counts alone: times and memory stand in ``costs.csv`` and on the pages. Texts of
records and names are put on one line and escaped.
"""

"""Ways in which the arrays of a file are a benchmark's network: by shapes, names and order.

What shapes leave open stays open here; clean images decide it elsewhere.
"""

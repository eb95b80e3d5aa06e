"""Graphs and weights: what network a file holds, its arrays, and the forward pass.

Files of submissions are opened only in a worker.
"""

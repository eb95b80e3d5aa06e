"""Synthetic faces: the images of the embedded benchmark, drawn from a seed."""

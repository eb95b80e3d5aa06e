"""Results on disk and at addresses: atomic, versioned, found by the hash of what they are of.

Nothing is judged here.
"""

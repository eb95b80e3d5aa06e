"""Scripts that take the file of an image and print a class: the competition's own form of entry.

A child runs them in the sandbox, as they were handed in; what they print is read there.
"""

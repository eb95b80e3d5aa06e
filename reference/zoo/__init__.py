"""A zoo of BadNets: well-known attacks, each with several seeds, as a competition.

It is public, drawn from seeds, or secret, drawn from a file's bytes. What a defence may know of a
secret one, its description may tell; what is planted, it may not.
"""
